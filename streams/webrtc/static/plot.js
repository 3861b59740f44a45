/** The last minute of two quantities, in one small chart. */

const KEPT = 120;
const SCALES = { fps: { floor: 40, colour: "--driver" }, latency: { floor: 200, colour: "--result" } };

export class Plot {
  #canvas;
  #points = [];

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.#draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  /** @param {{fps: number, latency: number}} point */
  add(point) {
    this.#points.push(point);
    if (this.#points.length > KEPT) this.#points.shift();
    this.#draw();
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (!width) return;
    this.#canvas.width = width * devicePixelRatio;
    this.#canvas.height = height * devicePixelRatio;
    const pen = this.#canvas.getContext("2d");
    pen.scale(devicePixelRatio, devicePixelRatio);
    const style = getComputedStyle(this.#canvas);
    pen.font = `11px ${style.fontFamily}`;
    this.#frame(pen, style, width, height);
    for (const name of Object.keys(SCALES)) this.#line(pen, style, name, width, height);
  }

  /** Base line, top line, and each scale's end in its own colour. */
  #frame(pen, style, width, height) {
    pen.strokeStyle = style.getPropertyValue("--line");
    pen.lineWidth = 1;
    for (const y of [TOP - 0.5, height - BOTTOM + 0.5]) {
      pen.beginPath();
      pen.moveTo(0, y);
      pen.lineTo(width, y);
      pen.stroke();
    }
    pen.fillStyle = style.getPropertyValue("--soft");
    pen.textBaseline = "alphabetic";
    pen.fillText("1 min ago", 0, height - 2);
    pen.textAlign = "right";
    pen.fillText("now", width, height - 2);
    pen.textAlign = "left";
    pen.fillStyle = style.getPropertyValue("--driver");
    pen.fillText(`${this.#top("fps")} per s`, 0, TOP - 4);
    pen.textAlign = "right";
    pen.fillStyle = style.getPropertyValue("--result");
    pen.fillText(`${this.#top("latency")} ms`, width, TOP - 4);
    pen.textAlign = "left";
  }

  #line(pen, style, name, width, height) {
    const top = this.#top(name);
    pen.strokeStyle = style.getPropertyValue(SCALES[name].colour);
    pen.lineWidth = 1.5;
    pen.lineJoin = "round";
    pen.beginPath();
    let down = false;
    this.#points.forEach((point, index) => {
      if (!Number.isFinite(point[name])) return;
      const x = width - ((this.#points.length - 1 - index) * width) / (KEPT - 1);
      const y = height - BOTTOM - (Math.min(point[name], top) / top) * (height - TOP - BOTTOM);
      if (down) pen.lineTo(x, y);
      else pen.moveTo(x, y);
      down = true;
    });
    pen.stroke();
  }

  /** The end of a quantity's scale: steady, and doubled when it does not do. */
  #top(name) {
    let top = SCALES[name].floor;
    const most = Math.max(0, ...this.#points.map((point) => point[name]).filter(Number.isFinite));
    while (top < most * 0.98 && top < 1e5) top *= 2;
    return top;
  }
}

const TOP = 18;
const BOTTOM = 16;
