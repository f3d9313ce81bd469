// The buzzer: a square wave through WebAudio. Browsers allow sound only after a click, hence the button.

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

  // The scanner module's own beeper.
  beep() {
    if (!this.on || this.#hz) return;
    this.play(2700);
    setTimeout(() => this.play(0), 60);
  }
}
