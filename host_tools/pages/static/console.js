// The console: new records slide in at the top as the server commits them.
"use strict";

const rows = document.getElementById("rows");
const link = document.getElementById("link");
const total = document.getElementById("total");
const devices = document.getElementById("devices");
const limit = Number(rows.dataset.limit);
const DEVICES_MS = 5000;

function say(lost, zh, en) {
  link.textContent = zh + " " + en;
  link.classList.toggle("lost", lost);
}

function arrived(event) {
  // Rendered and escaped by the server; the page's policy runs no script from it.
  const holder = document.createElement("tbody");
  holder.innerHTML = JSON.parse(event.data).html;
  const fresh = [...holder.children].filter(
    (row) => !rows.querySelector(`tr[data-id="${Number(row.dataset.id)}"]`),
  );
  fresh.forEach((row) => row.classList.add("new"));
  rows.prepend(...fresh);
  total.textContent = String(Number(total.textContent) + fresh.length);
  while (rows.children.length > limit) {
    rows.lastElementChild.remove();
  }
  refreshDevices();
}

let busy = false;
async function refreshDevices() {
  if (busy) {
    return;
  }
  busy = true;
  try {
    const answer = await fetch("/parts/devices", { signal: AbortSignal.timeout(10000) });
    if (answer.ok) {
      devices.innerHTML = await answer.text();
    }
  } catch {
    // The stream's own state tells that the server is away.
  }
  busy = false;
}

const stream = new EventSource("/api/stream?after=" + rows.dataset.last);
stream.addEventListener("open", () => say(false, "实时", "live"));
stream.addEventListener("error", () => say(true, "连接中断，重试中", "connection lost, trying again"));
stream.addEventListener("rows", arrived);
setInterval(refreshDevices, DEVICES_MS);
