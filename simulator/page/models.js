// Models that can be moved: time, the clock chip, noise on the wires, power cuts in a loop.

import { ask } from "./link.js";

const $ = (id) => document.getElementById(id);
const DAY_S = 86400;
const SLIDERS = {
  drift: ["clock_drift_ppm", (v) => `${v} ppm, ${((v * DAY_S) / 1e6).toFixed(1)} s a day`],
  "noise-uart": ["uart_noise_per_mille", (v) => `${(v / 10).toFixed(1)} %`],
  "noise-i2c": ["i2c_noise_per_mille", (v) => `${(v / 10).toFixed(1)} %`],
};

export class Models {
  #offset = 0;

  #complain;

  // change(json): tell the simulator.
  constructor(change, complain) {
    this.#complain = complain;
    $("speed").addEventListener("change", () => this.#pass({ speed: Number($("speed").value) }));
    for (const button of document.querySelectorAll("[data-jump]")) {
      button.addEventListener("click", () => this.#pass({ jump_s: Number(button.dataset.jump) }));
    }
    for (const [id, [field]] of Object.entries(SLIDERS)) {
      $(id).addEventListener("input", () => this.#value(id));
      $(id).addEventListener("change", () => change({ [field]: Number($(id).value) }));
      this.#value(id);
    }
    for (const button of document.querySelectorAll("[data-shift]")) {
      button.addEventListener("click", () => change({ clock_shift_s: Number(button.dataset.shift) }));
    }
    $("clock-true").addEventListener("click", () => change({ clock_shift_s: -this.#offset, clock_stopped: false }));
    $("cut-loop").addEventListener("change", () => change({ cut_loop: $("cut-loop").checked }));
  }

  async #pass(json) {
    const buttons = document.querySelectorAll("[data-jump]");
    for (const button of buttons) button.disabled = true;
    try {
      this.time(await ask("/api/time", { json }));
    } catch (error) {
      this.#complain(error);
    }
    for (const button of buttons) button.disabled = false;
  }

  // How fast time goes, and what it is now.
  time({ speed, now_unix: now }) {
    $("time-now").textContent = new Date(now * 1000).toISOString().slice(0, 16).replace("T", " ") + " UTC";
    if (document.activeElement === $("speed")) return;
    if (![...$("speed").options].some((option) => Number(option.value) === speed)) $("speed").add(new Option(`× ${speed}`, speed));
    $("speed").value = speed;
  }

  #value(id) {
    const text = SLIDERS[id][1](Number($(id).value));
    $(`${id}-value`).textContent = text;
    $(id).setAttribute("aria-valuetext", text);
  }

  show({ noise, clock_unix: unix, clock_offset_s: offset, clock_drift_ppm: drift, cut_loop: count }) {
    this.#offset = offset;
    $("clock").textContent = new Date(unix * 1000).toISOString().slice(0, 16).replace("T", " ") + " UTC";
    for (const [id, value] of Object.entries({ drift, "noise-uart": noise.uart, "noise-i2c": noise.i2c })) {
      if (document.activeElement !== $(id)) $(id).value = value;
      this.#value(id);
    }
    this.cuts(count);
  }

  // The flash write of the next cut, 0 for no loop.
  cuts(count) {
    $("cut-loop").checked = count > 0;
    $("cut-count").textContent = count ? `next at write ${count}` : "";
  }
}
