/** The person's camera while it is on: which one, their own view of it, and its going away. */

import { listCameras, openCamera } from "./camera.js";

const root = document.documentElement;

/**
 * Events: "change" (detail: the new track, which replaces another one), "gone" (it was unplugged), "problem" (detail:
 * the Problem of another camera that did not open while one was on).
 */
export class OwnCamera extends EventTarget {
  #self;
  #select;
  #choices;
  #opening = 0;

  /** @type {MediaStreamTrack | null} */
  track = null;

  /** @param {(id: string) => HTMLElement} ids @param {import("./choices.js").Choices} choices what is remembered */
  constructor(ids, choices) {
    super();
    this.#self = ids("self");
    this.#select = ids("camera");
    this.#choices = choices;
    this.#select.addEventListener("change", ({ target }) => this.#choose(target.value));
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.#list());
  }

  get live() {
    return this.track?.readyState === "live";
  }

  /**
   * The chosen camera, or the one of an earlier visit.
   * @returns {Promise<boolean>} whether it is on; not, when the person has stopped meanwhile
   * @throws {Problem} there is none, or it may not be used
   */
  async open() {
    const { disabled, value } = this.#select;
    await this.#use(disabled ? this.#choices.get("camera") : value, disabled);
    return this.track !== null;
  }

  stop() {
    this.#opening += 1; // a camera that the browser still opens is not wanted any more
    this.track?.stop();
    this.track = null;
    this.#self.srcObject = null;
    delete root.dataset.camera;
  }

  #choose(id) {
    this.#choices.set("camera", id);
    if (!this.track) return; // else it is the one to start with
    this.#use(id).catch((problem) => this.dispatchEvent(new CustomEvent("problem", { detail: problem })));
  }

  async #use(id, remembered = false) {
    const turn = ++this.#opening;
    const track = await openCamera(id, remembered);
    if (turn !== this.#opening) {
      track.stop();
      return;
    }
    this.track?.stop();
    this.track = track;
    track.addEventListener("ended", () => track === this.track && this.dispatchEvent(new Event("gone")));
    this.#self.srcObject = new MediaStream([track]);
    root.dataset.camera = "";
    this.dispatchEvent(new CustomEvent("change", { detail: track }));
    await this.#list();
  }

  #list() {
    return listCameras(this.#select, this.track?.getSettings().deviceId);
  }
}
