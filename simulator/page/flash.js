// Tasks, journal, packs, settings and wear: what the console tells and what lies on the flash image.

import { ask } from "./link.js";

const POLL_MS = 2000;
const WORN = "--warn";
const ACROSS = 48;
const $ = (id) => document.getElementById(id);
const PARTS = ["files", "journal"];

const when = (unix) => (unix ? new Date(unix * 1000).toISOString().slice(0, 16).replace("T", " ") : "no time");

function row(...texts) {
  const line = document.createElement("tr");
  for (const text of texts) {
    const cell = document.createElement("td");
    cell.textContent = text;
    line.append(cell);
  }
  return line;
}

function element(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

// A record's fields in the order in which a person asks for them.
function sentence(opened) {
  const { time_unix: time, event, detail, kind, colour, verdict, reasons = [], body_centi_c: body, mask, sub, place, clock } = opened;
  const words = event ? [event.replaceAll("_", " "), detail] : [kind, colour, `→ ${verdict}`, ...reasons];
  if (body) words.push(`${(body / 100).toFixed(1)} °C`);
  if (mask && !event) words.push(`mask ${mask.replaceAll("_", " ")}`);
  if (sub) words.push(`person ${sub}…`);
  words.push(place, when(time), clock === "trusted" ? "" : "clock not trusted");
  return words.filter(Boolean).join(" · ");
}

export class Flash {
  #timers = new Map();

  // change(json): tell the simulator.
  constructor(change) {
    const looks = {
      tasks: () => this.#tasks(),
      journal: () => this.#journal(),
      packs: () => this.#packs(),
      settings: () => this.#settings(),
      wear: () => this.#wear(),
    };
    for (const [id, look] of Object.entries(looks)) $(id).addEventListener("toggle", () => this.#follow(id, look));
    $("life").addEventListener("change", () => change({ flash_life: Number($("life").value) }));
    for (const part of PARTS) $(`fail-${part}`).addEventListener("click", () => change({ flash_fails: part }));
    $("flash-new").addEventListener("click", () => change({ flash_new: true }));
  }

  show({ life }) {
    if (document.activeElement === $("life")) return;
    const known = [...$("life").options].some((option) => Number(option.value) === life);
    if (!known) $("life").add(new Option(`${life} erases`, life));
    $("life").value = life;
  }

  // The handheld told of its tasks.
  told() {
    if ($("tasks").open) this.#tasks();
  }

  // Only while it is open: a closed panel costs nothing.
  async #follow(id, look) {
    clearTimeout(this.#timers.get(id));
    if (!$(id).open) return;
    if (!document.hidden) {
      try {
        await look();
      } catch (error) {
        $(`${id === "wear" ? "wear-files" : id}-told`).textContent = error.message;
      }
    }
    clearTimeout(this.#timers.get(id));
    if ($(id).open) this.#timers.set(id, setTimeout(() => this.#follow(id, look), POLL_MS));
  }

  async #tasks() {
    // Failures are on the flash, which takes longer to read.
    const { tasks: { tasks, age_s: age, starts } } = await ask("/api/inspect/flash");
    const began = Object.entries(starts).map(([cause, times]) => `${times} × ${cause}`).join(", ");
    $("tasks-told").textContent = `${age === null ? "The firmware has not told of its tasks yet" : `As told ${Math.round(age)} s ago`}. Starts: ${began || "none"}.`;
    $("task-rows").replaceChildren(...tasks.map((task) => {
      const beat = task.over ? "over" : task.beat_s === null ? "is not asked for one" : `${task.beat_s} s before`;
      const line = row(task.name, beat, task.failures ? `${task.failures}: ${task.last_failure}` : "none");
      line.classList.toggle("error", task.over);
      return line;
    }));
  }

  async #journal() {
    const { sectors, acknowledged, last, with_key: key, rows, records } = await ask("/api/inspect/journal");
    const torn = rows.filter((sector) => sector.torn_bytes).length;
    $("journal-told").textContent =
      `${rows.length} of ${sectors} sectors hold something; last record ${last}, the server has ${acknowledged}; ` +
      `${torn} with a torn end. ${key ? "Opened with the server's sealing keys." : "Sealed: no keys here."}`;
    $("journal-rows").replaceChildren(...records.map((record) => {
      const item = document.createElement("li");
      const where = ` sector ${record.sector} at ${record.offset}, ${record.bytes} bytes, ${record.acknowledged ? "sent" : "waits"}`;
      const inside = record.opened ? sentence(record.opened) : `Not opened: ${record.why_not}`;
      item.append(element("b", `#${record.seq}`), element("span", where), element("p", inside), element("code", record.sealed));
      return item;
    }));
  }

  async #packs() {
    const { packs } = await ask("/api/inspect/flash");
    $("packs-told").textContent = packs.length ? "" : "There is none: nobody passes.";
    $("pack-list").replaceChildren(...packs.flatMap((pack) => {
      const title = element("h3", `Version ${pack.version ?? "?"}, ${pack.which}: ${pack.state}`);
      if (pack.version === null) return [title];
      const span = element("p", `Issued ${when(pack.issued_unix)}, expires ${when(pack.expires_unix)}, root key ${pack.root_kid}`);
      span.className = "dim";
      const table = document.createElement("table");
      table.className = "rows";
      const head = document.createElement("tr");
      for (const text of ["part", "bytes", "SHA-256", "state"]) {
        const cell = element("th", text);
        cell.scope = "col";
        head.append(cell);
      }
      table.createTHead().append(head);
      table.createTBody().append(...pack.parts.map((part) => {
        const line = row(part.name, part.bytes, part.digest, part.state);
        line.classList.toggle("error", part.state === "damaged" || part.state === "missing");
        return line;
      }));
      const scroll = document.createElement("div");
      scroll.className = "scroll";
      scroll.tabIndex = 0;
      scroll.role = "region";
      scroll.ariaLabel = `Parts of the pack ${pack.which}`;
      scroll.append(table);
      return [title, span, scroll];
    }));
  }

  async #settings() {
    const { settings, files, room } = await ask("/api/inspect/flash");
    const slots = settings.slots.map(({ slot, state, counter }) => `slot ${slot} ${state}${counter === null ? "" : `, change ${counter}`}`);
    $("settings-told").textContent =
      `In force: ${settings.slot === null ? "defaults" : `slot ${settings.slot}`} (${slots.join("; ")}). ` +
      `${room.free_blocks} of ${room.blocks} blocks of ${room.block_bytes} bytes are free.`;
    $("setting-rows").replaceChildren(...settings.values.map(({ key, value, state }) => row(key, value, state)));
    $("file-rows").replaceChildren(...files.map(({ path, bytes }) => row(path, bytes)));
  }

  async #wear() {
    const { life, parts } = await ask("/api/inspect/wear");
    for (const part of PARTS) {
      const { sectors, erases, most, worn } = parts[part];
      const total = erases.reduce((sum, count) => sum + count, 0);
      $(`wear-${part}-told`).textContent =
        `${part === "files" ? "Files" : "Journal"}: ${sectors} sectors, ${total} erases, at most ${most} of one, ${worn.length} worn out.`;
      this.#draw($(`wear-${part}`), erases, new Set(worn), most, life);
    }
  }

  #draw(canvas, erases, worn, most, life) {
    const context = canvas.getContext("2d");
    if (canvas.width !== canvas.clientWidth) canvas.width = canvas.clientWidth;
    const side = Math.max(3, Math.floor(canvas.width / ACROSS));
    const across = Math.max(1, Math.floor(canvas.width / side));
    canvas.height = Math.max(side, Math.ceil(erases.length / across) * side);
    const style = getComputedStyle(document.documentElement);
    context.clearRect(0, 0, canvas.width, canvas.height);
    erases.forEach((count, sector) => {
      const [x, y] = [(sector % across) * side, Math.floor(sector / across) * side];
      context.globalAlpha = worn.has(sector) ? 1 : count ? 0.25 + 0.75 * (count / Math.max(1, Math.min(most, life))) : 0.08;
      context.fillStyle = style.getPropertyValue(worn.has(sector) ? WORN : "--accent");
      context.fillRect(x, y, side - 1, side - 1);
    });
    context.globalAlpha = 1;
  }
}
