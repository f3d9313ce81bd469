// The camera panel: people of the town, files, drag and drop, the webcam.

import { ask } from "./link.js";

const WEBCAM_MS = 450;
const WEBCAM_REST_MS = 2500;
const WEBCAM_WIDTH = 960;
const MEDIA = { live: ["Phone", "the live code on the phone"], paper: ["Paper", "the printed code"] };
const $ = (id) => document.getElementById(id);

export class Camera {
  #stream = null;
  #timer = 0;

  constructor() {
    $("file").addEventListener("change", (event) => {
      const [file] = event.target.files;
      if (file) this.#show(file);
      event.target.value = "";
    });
    $("textform").addEventListener("submit", (event) => {
      event.preventDefault();
      const text = $("text").value;
      if (text) this.found(ask("/api/camera/text", { body: text }), "text");
    });
    $("webcam").addEventListener("click", () => this.#toggleWebcam());
    $("refresh").addEventListener("click", () => this.loadTown());
    this.#acceptDrops();
  }

  #acceptDrops() {
    const drop = $("drop");
    let depth = 0;
    const over = (change) => {
      depth = Math.max(0, depth + change);
      drop.classList.toggle("over", depth > 0);
    };
    document.addEventListener("dragenter", () => over(1));
    document.addEventListener("dragleave", () => over(-1));
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      depth = 0;
      over(0);
      const [file] = event.dataTransfer.files;
      if (file) this.#show(file);
    });
  }

  #show(picture) {
    return this.found(ask("/api/camera/picture", { body: picture }), "picture");
  }

  // What the decoder in the module made of it; true if it found a code.
  async found(answer, kind) {
    try {
      const { found, bytes } = await answer;
      const codes = found === 1 ? "1 code" : `${found} codes`;
      $("found").textContent = found ? `${codes}: ${bytes} bytes go to the handheld.` : "No code in this picture.";
      if (kind === "picture" && !this.#stream) {
        const image = $("preview");
        image.src = `/api/camera/picture.png?t=${Date.now()}`;
        image.alt = "The picture that was held up last";
        image.hidden = false;
        $("droptext").hidden = true;
      }
      return found > 0;
    } catch (error) {
      $("found").textContent = `${error.message}.`;
      return false;
    }
  }

  async loadTown() {
    const list = $("town");
    try {
      const people = await ask("/api/town");
      list.replaceChildren(...people.map((person) => this.#person(person)));
    } catch (error) {
      const item = document.createElement("li");
      item.className = "dim";
      item.textContent = error.message;
      list.replaceChildren(item);
    }
  }

  #person(person) {
    const item = document.createElement("li");
    item.classList.add(person.colour);
    const who = document.createElement("div");
    const name = document.createElement("b");
    name.lang = "zh";
    name.textContent = person.name;
    const note = document.createElement("small");
    note.textContent = person.note_en;
    who.append(name, note);
    const media = document.createElement("div");
    media.className = "media";
    for (const medium of person.media) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "small";
      const [label, long] = MEDIA[medium] ?? [medium, medium];
      button.textContent = label;
      button.title = `Hold up ${long}`;
      button.setAttribute("aria-label", `${person.name}, ${person.note_en}: hold up ${long}`);
      button.dataset.person = person.id;
      button.dataset.medium = medium;
      const path = `/api/camera/person/${encodeURIComponent(person.id)}?medium=${medium}`;
      button.addEventListener("click", () => this.found(ask(path, { method: "POST" }), "picture"));
      media.append(button);
    }
    item.append(who, media);
    return item;
  }

  async #toggleWebcam() {
    if (this.#stream) {
      this.#stopWebcam();
      return;
    }
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: WEBCAM_WIDTH } });
    } catch {
      $("found").textContent = "The browser gives no webcam.";
      return;
    }
    const video = $("video");
    video.srcObject = this.#stream;
    video.hidden = false;
    $("preview").hidden = true;
    $("droptext").hidden = true;
    $("webcam").setAttribute("aria-pressed", "true");
    await video.play();
    this.#look();
  }

  #stopWebcam() {
    clearTimeout(this.#timer);
    for (const track of this.#stream.getTracks()) track.stop();
    this.#stream = null;
    $("video").hidden = true;
    $("droptext").hidden = !$("preview").hidden;
    $("webcam").setAttribute("aria-pressed", "false");
  }

  async #look() {
    const video = $("video");
    let rest = WEBCAM_MS;
    if (video.videoWidth && !document.hidden) {
      const scale = Math.min(1, WEBCAM_WIDTH / video.videoWidth);
      const canvas = new OffscreenCanvas(video.videoWidth * scale, video.videoHeight * scale);
      canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
      if (await this.#show(await canvas.convertToBlob({ type: "image/png" }))) rest = WEBCAM_REST_MS;
    }
    if (this.#stream) this.#timer = setTimeout(() => this.#look(), rest);
  }
}
