// All handhelds of one desk: what each shows, and the way to its page.

import { ask } from "./link.js";

const POLL_MS = 700;
const AWAY_MS = 3000;
const WORDS = { running: "Running", off: "Switched off", dead: "The interpreter keeps dying" };
const $ = (id) => document.getElementById(id);
const cards = new Map();

function make(device) {
  const card = document.createElement("li");
  const link = document.createElement("a");
  link.href = device.url;
  const picture = document.createElement("img");
  picture.width = 240;
  picture.height = 320;
  picture.alt = "";
  const title = document.createElement("b");
  title.textContent = `Handheld ${device.number}`;
  link.append(picture, title);
  const note = document.createElement("p");
  card.append(link, note);
  $("desk").append(card);
  return { card, picture, note, drawn: null };
}

function show(device) {
  if (!cards.has(device.number)) cards.set(device.number, make(device));
  const card = cards.get(device.number);
  const net = device.link ? "connected" : "no network";
  const text = [device.name, WORDS[device.state] ?? device.state, net, device.serial].filter(Boolean).join(" · ");
  if (card.note.textContent !== text) card.note.textContent = text;
  const drawn = `${device.state} ${device.drawn} ${device.backlight}`;
  if (drawn !== card.drawn) {
    card.drawn = drawn;
    card.picture.src = `/api/devices/${device.number}/screen.png?t=${Date.now()}`;
    card.picture.alt = `Screen of handheld ${device.number}`;
  }
}

async function look() {
  let rest = POLL_MS;
  if (!document.hidden) {
    try {
      const devices = await ask("/api/devices");
      devices.forEach(show);
      $("status").textContent = devices.length === 1 ? "1 handheld" : `${devices.length} handhelds`;
      $("status").classList.remove("bad");
    } catch {
      $("status").textContent = "The simulator is gone; trying again…";
      $("status").classList.add("bad");
      rest = AWAY_MS;
    }
  }
  setTimeout(look, rest);
}

look();
