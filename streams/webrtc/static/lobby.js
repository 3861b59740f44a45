/** Before going live: the person sees themselves, finds their place, and rests their face for a moment. */

const SECONDS = 3;

export class Lobby {
  #ids;
  #choices;
  #leave = idle;
  #counting = 0;

  constructor(ids, choices) {
    this.#ids = ids;
    this.#choices = choices;
    ids("lobby-skip").addEventListener("change", ({ target }) => choices.set("skipLobby", target.checked));
  }

  /** Whether the person wants to go live at once. */
  get skipped() {
    return this.#choices.get("skipLobby") === true;
  }

  get open() {
    return this.#leave !== idle && !this.#ids("lobby").hidden && !this.#counting;
  }

  /** @param {MediaStreamTrack} track what the camera sees @returns {Promise<boolean>} whether to go live */
  enter(track) {
    this.use(track);
    this.#ids("lobby").hidden = false;
    this.#ids("lobby-skip").checked = false;
    return new Promise((resolve) => {
      this.#leave = (live) => {
        this.#leave = idle;
        resolve(live);
      };
    });
  }

  /** Another camera. */
  use(track) {
    this.#ids("lobby-self").srcObject = new MediaStream([track]);
  }

  /** The person has pressed "Go live". */
  go() {
    this.#leave(true);
  }

  /**
   * Three, two, one, while the connection is made.
   * @param {Promise<unknown>} live when the avatar is there
   * @returns {Promise<boolean>} whether the person has rested their face until then, and not left
   */
  async count(live) {
    const { srcObject } = this.#ids("lobby-self");
    for (this.#counting = SECONDS; this.#counting > 0; this.#counting -= 1) {
      this.#ids("count").textContent = String(this.#counting);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    this.#ids("count").textContent = "";
    await live;
    const here = this.#ids("lobby-self").srcObject === srcObject;
    if (here) this.close();
    return here;
  }

  close() {
    this.#counting = 0;
    this.#leave(false);
    this.#ids("count").textContent = "";
    this.#ids("lobby").hidden = true;
    this.#ids("lobby-self").srcObject = null;
  }
}

function idle() {}
