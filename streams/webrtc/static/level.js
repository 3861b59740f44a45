/** How loud the microphone is. */

const EVERY_MS = 80;
const QUIETEST_DB = -60;

export class Level {
  #meter;
  #context = null;
  #timer = 0;

  /** @param {HTMLMeterElement} meter from 0 to 1 */
  constructor(meter) {
    this.#meter = meter;
  }

  /** @param {MediaStreamTrack | null} track null: no microphone is on */
  watch(track) {
    clearInterval(this.#timer);
    this.#context?.close();
    this.#context = null;
    this.#meter.hidden = !track;
    if (!track) return;
    this.#context = new AudioContext();
    const analyser = this.#context.createAnalyser();
    this.#context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.#timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
      const decibels = 10 * Math.log10(power + 1e-12);
      this.#meter.value = Math.max(0, 1 - decibels / QUIETEST_DB);
    }, EVERY_MS);
  }
}
