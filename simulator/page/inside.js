// Looking inside: bus traffic as a timeline and a list, the heap, and recording a scenario.

import { ask } from "./link.js";

const POLL_MS = 500;
const SPAN_MS = 10000;
const HEAP_MS = 600000;
const KEPT = 3000;
const LISTED = 120;
const LANES = [["uart", "out", "UART →"], ["uart", "in", "UART ←"], ["i2c", "out", "I2C →"], ["i2c", "in", "I2C ←"], ["spi", "out", "SPI →"]];
const $ = (id) => document.getElementById(id);

export class Inside {
  #rows = [];
  #last = 0;
  #heap = [];
  #complain;
  #timer = 0;

  constructor(complain) {
    this.#complain = complain;
    $("traffic").addEventListener("toggle", () => this.#look());
    for (const box of document.querySelectorAll("[data-bus]")) box.addEventListener("change", () => this.#list());
    $("hold-list").addEventListener("click", () => {
      const held = $("hold-list").getAttribute("aria-pressed") !== "true";
      $("hold-list").setAttribute("aria-pressed", String(held));
      if (!held) this.#list();
    });
    $("record").addEventListener("click", () => {
      const action = $("record").getAttribute("aria-pressed") === "true" ? "stop" : "start";
      ask(`/api/record/${action}`, { method: "POST" }).then(({ lines }) => this.#recorded(action, lines)).catch(this.#complain);
    });
  }

  recording(on) {
    $("record").setAttribute("aria-pressed", String(on));
    $("record").textContent = on ? "Recording: stop" : "Record a scenario";
    if (on) $("recorded").hidden = true;
  }

  #recorded(action, lines) {
    $("recorded").hidden = action === "start" || !lines;
  }

  // Only while it is open: a closed panel costs nothing.
  async #look() {
    clearTimeout(this.#timer);
    if (!$("traffic").open) return;
    if (!document.hidden) {
      try {
        const since = this.#heap.at(-1)?.[0] ?? 0;
        const [trace, heap] = await Promise.all([ask(`/api/trace?after=${this.#last}`), ask(`/api/heap?after_ms=${since}`)]);
        this.#take(trace, heap);
        this.#takeHeap(heap);
      } catch {
        $("heap").textContent = "The simulator does not answer.";
      }
    }
    clearTimeout(this.#timer);
    if ($("traffic").open) this.#timer = setTimeout(() => this.#look(), POLL_MS);
  }

  #take({ rows, last, now_ms: now }, { used, free }) {
    if (last < this.#last) this.#rows = [];
    this.#last = last;
    const [first] = rows;
    if (first && this.#rows.at(-1)?.t_ms === first.t_ms) this.#rows.pop(); // it has grown
    this.#rows = [...this.#rows, ...rows].slice(-KEPT);
    $("heap").textContent = used === null ? "Heap: the firmware does not look up." : `Heap: ${used} bytes in use, ${free} free, garbage included.`;
    this.#draw(now);
    if ($("hold-list").getAttribute("aria-pressed") !== "true" && rows.length) this.#list();
  }

  // The line's height is the whole heap; a start shows as a gap.
  #takeHeap({ history, now_ms: now }) {
    this.#heap = [...this.#heap, ...history].filter(([at]) => now - at <= HEAP_MS);
    const canvas = $("heap-line");
    const context = canvas.getContext("2d");
    if (canvas.width !== canvas.clientWidth) canvas.width = canvas.clientWidth;
    const style = getComputedStyle(document.documentElement);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = style.getPropertyValue("--accent");
    for (const [at, used, free] of this.#heap) {
      const x = (1 - (now - at) / HEAP_MS) * canvas.width;
      const tall = (used / (used + free)) * canvas.height;
      context.fillRect(x - 1, canvas.height - tall, 2, tall);
    }
    const least = Math.min(...this.#heap.map(([, , free]) => free));
    const minutes = Math.ceil((now - (this.#heap[0]?.[0] ?? now)) / 60000);
    canvas.setAttribute("aria-label", `Heap in use over the last ${minutes} minutes; at least ${least} bytes were free`);
  }

  #draw(now) {
    const canvas = $("lanes");
    const context = canvas.getContext("2d");
    if (canvas.width !== canvas.clientWidth) canvas.width = canvas.clientWidth;
    const style = getComputedStyle(document.documentElement);
    const height = canvas.height / LANES.length;
    const left = 52;
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.font = "11px system-ui";
    context.textBaseline = "middle";
    LANES.forEach(([bus, way, label], lane) => {
      const y = lane * height;
      context.fillStyle = style.getPropertyValue("--dim");
      context.fillText(label, 2, y + height / 2);
      context.fillRect(left, y + height - 1, canvas.width - left, 1);
      for (const row of this.#rows) {
        if (row.bus !== bus || row.way !== way || now - row.t_ms > SPAN_MS) continue;
        const x = left + (1 - (now - row.t_ms) / SPAN_MS) * (canvas.width - left);
        context.fillStyle = style.getPropertyValue(row.error ? "--warn" : "--accent");
        const tall = Math.min(height - 4, 4 + 3 * Math.log2(1 + row.size));
        context.fillRect(x, y + height - 1 - tall, 2, tall);
      }
    });
  }

  #list() {
    const wanted = new Set([...document.querySelectorAll("[data-bus]:checked")].map((box) => box.dataset.bus));
    const shown = this.#rows.filter((row) => wanted.has(row.bus)).slice(-LISTED).reverse();
    $("rows").replaceChildren(...shown.map((row) => {
      const line = document.createElement("tr");
      const way = `${row.way === "out" ? "→" : "←"} ${row.to}`;
      for (const text of [Math.round(row.t_ms) % 1000000, row.bus, way, row.size, row.error || row.head]) {
        const cell = document.createElement("td");
        cell.textContent = text;
        line.append(cell);
      }
      line.classList.toggle("error", Boolean(row.error));
      return line;
    }));
  }
}
