// The buzzer, a square wave through WebAudio, and the loudspeaker. Browsers allow sound only after a click, hence the
// button.

const LEAD_S = 0.06;

export class Buzzer {
  #context = null;
  #wave = null;
  #gain = null;
  #hz = 0;

  get on() {
    return this.#context !== null && this.#context.state === "running";
  }

  async toggle() {
    if (this.on) {
      await this.#context.suspend();
      return;
    }
    if (this.#context === null) {
      this.#context = new AudioContext({ latencyHint: "interactive" });
      this.#wave = new OscillatorNode(this.#context, { type: "square" });
      const soften = new BiquadFilterNode(this.#context, { type: "lowpass", frequency: 6000 });
      this.#gain = new GainNode(this.#context, { gain: 0 });
      this.#wave.connect(soften).connect(this.#gain).connect(this.#context.destination);
      this.#wave.start();
    }
    await this.#context.resume();
    this.play(this.#hz);
  }

  // 0 is silence.
  play(hz) {
    this.#hz = hz;
    if (!this.on) return;
    const now = this.#context.currentTime;
    if (hz) this.#wave.frequency.setValueAtTime(hz, now);
    this.#gain.gain.setTargetAtTime(hz ? 0.07 : 0, now, 0.002);
  }

  get context() {
    return this.on ? this.#context : null;
  }

  // The scanner module's own beeper.
  beep() {
    if (!this.on || this.#hz) return;
    this.play(2700);
    setTimeout(() => this.play(0), 60);
  }
}

// What the handheld sends to its loudspeaker, piece by piece, one right after the other.
export class Loudspeaker {
  #buzzer;
  #ends = 0;
  #playing = new Set();

  // The buzzer's button switches this on as well.
  constructor(buzzer) {
    this.#buzzer = buzzer;
  }

  // 16-bit samples in base64, low byte first; how many are heard.
  play(pcm, rate) {
    const context = this.#buzzer.context;
    if (!context) return 0;
    const bytes = Uint8Array.from(atob(pcm), (char) => char.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    const count = bytes.length >> 1;
    const buffer = new AudioBuffer({ length: count, sampleRate: rate });
    const samples = buffer.getChannelData(0);
    for (let i = 0; i < count; i += 1) samples[i] = view.getInt16(2 * i, true) / 32768;
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(context.destination);
    this.#ends = Math.max(this.#ends, context.currentTime + LEAD_S);
    source.start(this.#ends);
    this.#ends += buffer.duration;
    this.#playing.add(source);
    source.onended = () => this.#playing.delete(source);
    return count;
  }

  stop() {
    for (const source of this.#playing) source.stop();
    this.#playing.clear();
    this.#ends = 0;
  }
}
