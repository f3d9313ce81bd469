// A phone with the picture that was held up last, at a distance and an angle.

import { ask } from "./link.js";

const $ = (id) => document.getElementById(id);
const SLIDERS = {
  distance: (v) => `${(v / 10).toFixed(1)} cm`,
  turn: (v) => `${v}°`,
  tilt: (v) => `${v}°`,
  shake: (v) => `${(v / 10).toFixed(1)} points`,
  glare: (v) => `${v} %`,
};

export class Phone {
  #found;

  // found(promise): show what the decoder made of a picture.
  constructor(found) {
    this.#found = found;
    for (const id of Object.keys(SLIDERS)) {
      $(id).addEventListener("input", () => this.#value(id));
      this.#value(id);
    }
    $("phone-show").addEventListener("click", () => this.#show());
    $("phone-sweep").addEventListener("click", () => this.#sweep());
  }

  #value(id) {
    const text = SLIDERS[id](Number($(id).value));
    $(`${id}-value`).textContent = text;
    $(id).setAttribute("aria-valuetext", text);
  }

  async #show() {
    const [distance_mm, turn, tilt, shake, glare] = Object.keys(SLIDERS).map((id) => Number($(id).value));
    const answer = ask("/api/camera/phone", { json: { distance_mm, turn, tilt, shake: shake / 10, glare } });
    const read = await this.#found(answer, "picture");
    $("phone-result").textContent = read ? "It reads." : "It does not read.";
  }

  async #sweep() {
    const button = $("phone-sweep");
    button.disabled = true;
    $("phone-result").textContent = "Trying…";
    try {
      const { tried, read, views } = await ask("/api/camera/sweep", { method: "POST" });
      $("phone-result").textContent = `${read} of ${tried} ways read.`;
      this.#table(views);
    } catch (error) {
      $("phone-result").textContent = `${error.message}.`;
    }
    button.disabled = false;
  }

  #table(views) {
    const of = (name) => [...new Set(views.map((view) => view[name]))];
    const cell = (tag, text, scope) => {
      const made = document.createElement(tag);
      made.textContent = text;
      if (scope) made.scope = scope;
      return made;
    };
    const head = document.createElement("tr");
    head.append(cell("th", "tilt", "col"), ...of("distance_mm").map((mm) => cell("th", `${mm / 10} cm`, "col")));
    const rows = of("tilt").map((tilt) => {
      const row = document.createElement("tr");
      row.append(cell("th", `${tilt}°`, "row"));
      for (const mm of of("distance_mm")) {
        const here = views.filter((view) => view.tilt === tilt && view.distance_mm === mm);
        row.append(cell("td", `${here.filter((view) => view.read).length}/${here.length}`));
      }
      return row;
    });
    $("phone-table").tHead.replaceChildren(head);
    $("phone-table").tBodies[0].replaceChildren(...rows);
    $("phone-table").hidden = false;
  }
}
