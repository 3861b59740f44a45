/** What the page says about itself, on the avatar and at the top of the page. */

const TOP = { off: "Off", asking: "Asking for the camera", lobby: "Not live yet", loading: "Not ready yet", connecting: "Connecting", live: "Live", waiting: "Waiting", failed: "Stopped" };
const LAMP = { off: "off", asking: "busy", lobby: "busy", loading: "busy", connecting: "busy", live: "live", waiting: "trouble", failed: "trouble" };
const DETAIL = {
  off: "Your video goes to this Mien server and nowhere else.",
  lobby: "Then rest your face for three seconds.",
};
const BUTTON = { off: "Start camera", lobby: "Go live", failed: "Start again", waiting: "Try now" };

export class Words {
  #ids;

  /** Whether a camera of the server's machine drives the avatar. */
  panel = false;

  constructor(ids) {
    this.#ids = ids;
  }

  /**
   * @param {{name: string, problem?: {title: string, detail: string}, seconds?: number, reason?: string}} state
   */
  show({ name, problem, seconds, reason }) {
    document.documentElement.dataset.state = LAMP[name];
    document.documentElement.toggleAttribute("data-lobby", name === "lobby");
    this.#put("state", TOP[name]);
    this.#put("say", problem?.title ?? this.#sentence(name, reason));
    this.#put("detail", problem?.detail ?? (this.panel ? "" : (DETAIL[name] ?? "")));
    // Apart, and not read aloud: a voice that counts down says nothing else.
    this.#put("countdown", name === "waiting" ? `Trying again in ${seconds} s.` : "");
    const button = this.#ids("start");
    const had = document.activeElement === button;
    button.hidden = !(name in BUTTON);
    // The focus goes from a button that vanishes to the one that takes its place.
    const stop = this.#ids("stop");
    if (!button.hidden) this.#put("start", this.panel && name === "off" ? "Show the avatar" : BUTTON[name]);
    if (button.hidden && had) stop.focus();
    else if (name !== "waiting" && !button.hidden && document.activeElement === stop) button.focus();
    this.#ids("words").hidden = name === "live";
  }

  #sentence(name, reason) {
    if (reason) return `Not ready: ${reason}.`;
    if (name === "loading") return "The model is still loading.";
    return { asking: "Allow the camera when the browser asks.", lobby: "Sit so that your head fills the outline.", connecting: "Connecting…" }[name] ?? "";
  }

  /** Only when it changes, so that it is read aloud once. */
  #put(id, text) {
    const element = this.#ids(id);
    if (element.textContent !== text) element.textContent = text;
  }
}
