/** The avatar at rest, in the place and the crop of the live image. */

export class Still {
  #api;
  #img;
  #say;
  #turn = 0;

  /** @param {HTMLImageElement} img @param {(text: string) => void} say what is wrong with the background */
  constructor(api, img, say) {
    this.#api = api;
    this.#img = img;
    this.#say = say;
  }

  /** @param {{id: string, name: string, image: string} | null} portrait @param {string | null} background */
  async show(portrait, background) {
    if (!portrait) return;
    const turn = ++this.#turn;
    const blob = await this.#fetch(portrait.id, background);
    if (turn !== this.#turn) return;
    const old = this.#img.src;
    const src = blob ? URL.createObjectURL(blob) : portrait.image;
    Object.assign(this.#img, { src, alt: `Portrait: ${portrait.name || "unnamed"}`, hidden: false });
    if (old.startsWith("blob:")) URL.revokeObjectURL(old);
  }

  async #fetch(id, background) {
    try {
      const blob = await this.#api.still(id, background);
      if (background) this.#say("");
      return blob;
    } catch (problem) {
      if (problem.status === 422) this.#say(`${problem.title} ${problem.detail}`.trim());
      return background ? this.#api.still(id, "keep").catch(() => null) : null;
    }
  }
}
