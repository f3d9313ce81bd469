// The live connection. It comes back by itself, waiting a little longer after each failure.

const FIRST_MS = 400;
const LONGEST_MS = 5000;
// A finger's shortest press; a click or a tap on a touchpad may be shorter than the handheld's debouncing.
const SHORTEST_PRESS_MS = 150;

export class Link {
  #socket = null;
  #wait = FIRST_MS;
  #on;
  #pressed = new Map();
  #letting = new Map();

  // on: {state(object), event(object), sound(object), pixels(ArrayBuffer), connected(boolean)}
  constructor(on) {
    this.#on = on;
    this.#open();
  }

  #open() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/ws`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.#wait = FIRST_MS;
      this.#on.connected(true);
    };
    socket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) {
        this.#on.pixels(data);
        return;
      }
      const message = JSON.parse(data);
      this.#on[message.type](message);
    };
    socket.onclose = () => {
      this.#on.connected(false);
      setTimeout(() => this.#open(), this.#wait);
      this.#wait = Math.min(LONGEST_MS, this.#wait * 1.7);
    };
    this.#socket = socket;
  }

  key(key, closed) {
    // What was to be let go a little later must not end the next press.
    const letting = this.#letting.get(key);
    clearTimeout(letting);
    this.#letting.delete(key);
    if (closed) {
      if (letting !== undefined) this.#send(key, false);
      this.#pressed.set(key, performance.now());
      this.#send(key, true);
      return;
    }
    const left = (this.#pressed.get(key) ?? 0) + SHORTEST_PRESS_MS - performance.now();
    if (left <= 0) {
      this.#send(key, false);
      return;
    }
    const end = () => {
      this.#letting.delete(key);
      this.#send(key, false);
    };
    this.#letting.set(key, setTimeout(end, left));
  }

  #send(key, closed) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ key, closed }));
  }
}

// Ask the simulator. Answers the parsed JSON; throws an Error with a sentence for a person.
export async function ask(path, { body, json, method } = {}) {
  const options = { method: method ?? (body !== undefined || json !== undefined ? "POST" : "GET") };
  if (json !== undefined) {
    options.body = JSON.stringify(json);
    options.headers = { "content-type": "application/json" };
  } else if (body !== undefined) {
    options.body = body;
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("the simulator does not answer");
  }
  const data = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(typeof data.detail === "string" ? data.detail : `error ${answer.status}`);
  return data;
}
