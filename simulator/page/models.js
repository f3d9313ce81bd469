// Models that can be moved: the clock chip, noise on the wires, power cuts in a loop.

const $ = (id) => document.getElementById(id);
const DAY_S = 86400;
const SLIDERS = {
  drift: ["clock_drift_ppm", (v) => `${v} ppm, ${((v * DAY_S) / 1e6).toFixed(1)} s a day`],
  "noise-uart": ["uart_noise_per_mille", (v) => `${(v / 10).toFixed(1)} %`],
  "noise-i2c": ["i2c_noise_per_mille", (v) => `${(v / 10).toFixed(1)} %`],
};

export class Models {
  #offset = 0;

  // change(json): tell the simulator.
  constructor(change) {
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
