// The page of the simulated handheld: what the device shows and does, and everything one can do to it.

import { Camera } from "./camera.js";
import { Link, ask } from "./link.js";
import { Screen } from "./screen.js";
import { Buzzer, Loudspeaker } from "./sound.js";
import { Flash } from "./flash.js";
import { Inside } from "./inside.js";
import { Models } from "./models.js";
import { Phone } from "./phone.js";

const CONSOLE_LINES = 400;
const RESET_CAUSES = { 1: "power-on", 2: "reset", 3: "watchdog", 4: "deep sleep", 5: "soft reset" };
const SHORTCUTS = { 1: "no", ArrowLeft: "no", 2: "middle", ArrowDown: "middle", 3: "yes", ArrowRight: "yes" };
const $ = (id) => document.getElementById(id);

const screen = new Screen($("screen"));
const buzzer = new Buzzer();
const loudspeaker = new Loudspeaker(buzzer);
const camera = new Camera();
const inside = new Inside(complain);
const models = new Models((json) => fault(json), complain);
const flash = new Flash((json) => fault(json));
new Phone((answer, kind) => camera.found(answer, kind));
let connected = false;
let power = "off";
let speed = 1;

// What the device does

function showStatus() {
  const words = { running: "Running", off: "Switched off", dead: "The interpreter keeps dying: see the console" };
  const pace = speed !== 1 && power === "running" ? (speed ? `, time ×${speed}` : ", time as fast as it goes") : "";
  const text = connected ? words[power] + pace : "The simulator is gone; trying again…";
  $("status").textContent = text;
  $("status").classList.toggle("bad", !connected || power !== "running");
  $("dead").textContent = connected && power !== "running" ? text : "";
  $("dead").hidden = !connected || power === "running";
  $("on").disabled = power === "running";
  for (const id of ["kill", "cut", "cycle", "reset"]) $(id).disabled = power !== "running";
}

function showLed([red, green, blue]) {
  const lit = red + green + blue > 0;
  const strength = Math.max(red, green, blue) / 255;
  const up = (value) => (strength ? Math.round(value / strength) : 0);
  const colour = lit ? `rgb(${up(red)} ${up(green)} ${up(blue)} / ${0.25 + 0.75 * strength})` : "transparent";
  $("device").style.setProperty("--led", colour);
  $("led").setAttribute("aria-label", lit ? `LED red ${red}, green ${green}, blue ${blue}` : "LED off");
}

function playTone(hz) {
  buzzer.play(hz);
  $("buzzer").classList.toggle("on", hz > 0);
  $("buzzer").setAttribute("aria-label", hz ? `Buzzer ${hz} hertz` : "Buzzer silent");
}

// Samples for the loudspeaker; none: the sound breaks off.
function speak({ pcm, rate_hz: rate }) {
  const said = $("said");
  if (pcm) said.dataset.samples = Number(said.dataset.samples ?? 0) + loudspeaker.play(pcm, rate);
  else loudspeaker.stop();
}

function showSpeech({ on, text }) {
  $("said").textContent = on || !text ? "" : `“${text}”`;
}

function vibrate(on) {
  $("device").classList.toggle("shake", on);
}

function log(...lines) {
  const console = $("console");
  const bottom = console.scrollHeight - console.scrollTop - console.clientHeight < 30;
  for (const line of lines) console.append(`${line}\n`);
  while (console.childNodes.length > CONSOLE_LINES) console.firstChild.remove();
  if (bottom) console.scrollTop = console.scrollHeight;
}

// Surroundings and faults

const SLIDERS = {
  skin: ["skin_centi_c", (v) => `${(v / 100).toFixed(2)} °C`],
  ambient: ["ambient_centi_c", (v) => `${(v / 100).toFixed(1)} °C`],
  battery: ["battery_mv", (v) => `${(v / 1000).toFixed(2)} V`],
};

function showValue(id) {
  const nobody = id === "skin" && $("nobody").checked;
  const text = nobody ? "nobody" : SLIDERS[id][1](Number($(id).value));
  $(`${id}-value`).textContent = text;
  $(id).setAttribute("aria-valuetext", text);
}

function showWorld(world) {
  $("nobody").checked = world.skin_centi_c === null;
  for (const [id, [field]] of Object.entries(SLIDERS)) {
    if (world[field] !== null && document.activeElement !== $(id)) $(id).value = world[field];
    showValue(id);
  }
  $("wifi").checked = world.wifi;
  $("server").checked = world.server;
}

function complain(error) {
  log(`[page] ${error.message}`);
}

let changes = {};
let changing = 0;

// Slider movements are gathered, so that a drag makes a few requests, not hundreds.
function changeWorld(change) {
  Object.assign(changes, change);
  if (changing) return;
  changing = setTimeout(() => {
    const json = changes;
    changes = {};
    changing = 0;
    ask("/api/world", { json }).catch(complain);
  }, 60);
}

for (const [id, [field]] of Object.entries(SLIDERS)) {
  $(id).addEventListener("input", () => {
    if (id === "skin") $("nobody").checked = false;
    showValue(id);
    changeWorld({ [field]: Number($(id).value) });
  });
}
for (const button of document.querySelectorAll("[data-skin]")) {
  button.addEventListener("click", () => {
    $("nobody").checked = false;
    $("skin").value = button.dataset.skin;
    showValue("skin");
    changeWorld({ skin_centi_c: Number(button.dataset.skin) });
  });
}
$("nobody").addEventListener("change", () => {
  showValue("skin");
  changeWorld({ skin_centi_c: $("nobody").checked ? null : Number($("skin").value) });
});
$("wifi").addEventListener("change", () => changeWorld({ wifi: $("wifi").checked }));
$("server").addEventListener("change", () => changeWorld({ server: $("server").checked }));

const fault = (json) => ask("/api/faults", { json }).then(showFaults).catch(complain);

function showFaults(state) {
  const { plugged, faults, clock_stopped: stopped } = state;
  models.show(state);
  flash.show(state.wear);
  for (const box of document.querySelectorAll("[data-chip]")) box.checked = plugged[box.dataset.chip];
  for (const select of document.querySelectorAll("[data-fault]")) select.value = faults[select.dataset.fault] ?? "";
  $("stopped").checked = stopped;
}

for (const box of document.querySelectorAll("[data-chip]")) {
  box.addEventListener("change", () => fault({ [box.checked ? "plug" : "unplug"]: box.dataset.chip }));
}
for (const select of document.querySelectorAll("[data-fault]")) {
  select.addEventListener("change", () => fault({ chip: select.dataset.fault, fault: select.value || null }));
}
$("stopped").addEventListener("change", () => fault({ clock_stopped: $("stopped").checked }));
$("noise").addEventListener("click", () => fault({ noise_bytes: 4096 }));
$("cut").addEventListener("click", () => fault({ cut_power_at: 1 }));
for (const action of ["on", "kill", "cycle", "reset"]) {
  $(action).addEventListener("click", () => ask(`/api/power/${action}`, { method: "POST" }).catch(complain));
}

// The live connection

const events = {
  led: ({ rgb }) => showLed(rgb),
  tone: ({ hz }) => playTone(hz),
  speech: showSpeech,
  vibration: ({ on }) => vibrate(on),
  aim: ({ on }) => $("lens").classList.toggle("on", on),
  scanner_beep: () => buzzer.beep(),
  key: ({ key, closed }) => document.querySelector(`[data-key="${key}"]`).classList.toggle("down", closed),
  world: showWorld,
  recording: ({ on }) => inside.recording(on),
  fault: ({ cut_loop: count }) => count !== undefined && models.cuts(count),
  link: ({ up }) => ($("link").textContent = up ? "connected" : ""),
  tasks: () => flash.told(),
  time: (told) => {
    speed = told.speed;
    models.time(told);
    showStatus();
  },
  console: ({ line }) => log(line),
  boot: ({ cause }) => {
    power = "running";
    log(`[board] starts: ${RESET_CAUSES[cause] ?? cause}`);
    showStatus();
  },
  power: ({ state }) => {
    power = state === "dead" ? "dead" : "off";
    log(state === "cut" ? "[board] power cut" : `[board] ${state}`);
    showStatus();
  },
};

const link = new Link({
  pixels: (buffer) => screen.draw(buffer),
  event: ({ kind, data }) => events[kind]?.(data),
  sound: speak,
  connected: (now) => {
    connected = now;
    if (!now) {
      playTone(0);
      vibrate(false);
      loudspeaker.stop();
    }
    showStatus();
  },
  state: (state) => {
    power = state.state;
    speed = state.speed;
    $("desk").hidden = state.devices < 2;
    $("desk").textContent = `Handheld ${state.number} of ${state.devices}`;
    document.title = state.devices < 2 ? "Yima handheld" : `Yima handheld ${state.number}`;
    showLed(state.led);
    playTone(state.tone_hz);
    vibrate(state.vibration);
    events.aim({ on: state.aim });
    events.link({ up: state.link });
    showWorld(state.world);
    showFaults(state);
    models.time(state);
    inside.recording(state.recording);
    $("serial").textContent = state.serial ? `Serial port: ${state.serial}` : "";
    $("console").replaceChildren();
    log(...state.console);
    $("console").scrollTop = $("console").scrollHeight;
    showStatus();
    camera.loadTown();
  },
});

// Keys: mouse and touch hold them, so does the keyboard

for (const button of document.querySelectorAll("[data-key]")) {
  const { key } = button.dataset;
  button.addEventListener("pointerdown", (event) => {
    button.setPointerCapture(event.pointerId);
    link.key(key, true);
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    button.addEventListener(end, () => link.key(key, false));
  }
  // Space and Enter on the focused button, and assistive technology, send a click without a pointer.
  button.addEventListener("click", (event) => {
    if (event.detail === 0) ask(`/api/keys/${key}`, { method: "POST" }).catch(complain);
  });
}

const held = new Set();

document.addEventListener("keydown", (event) => {
  const key = SHORTCUTS[event.key];
  const typing = event.target.closest("input, select, textarea, .console");
  if (!key || typing || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  held.add(event.key);
  link.key(key, true);
});
document.addEventListener("keyup", (event) => {
  if (held.delete(event.key)) link.key(SHORTCUTS[event.key], false);
});
window.addEventListener("blur", () => {
  for (const name of held) link.key(SHORTCUTS[name], false);
  held.clear();
});

$("sound").addEventListener("click", async () => {
  await buzzer.toggle();
  $("sound").setAttribute("aria-pressed", String(buzzer.on));
  $("sound").textContent = buzzer.on ? "Sound: on" : "Sound: off";
});

for (const id of Object.keys(SLIDERS)) showValue(id);
