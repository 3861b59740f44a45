/** The page: its parts, and who tells whom. */

import { Api } from "./api.js";
import { Backgrounds } from "./backgrounds.js";
import { tellOfCalls } from "./calls.js";
import { Choices } from "./choices.js";
import { Gains } from "./gains.js";
import { Gallery } from "./gallery.js";
import { listenForKeys } from "./keys.js";
import { Link } from "./link.js";
import { Hold } from "./hold.js";
import { Lobby } from "./lobby.js";
import { Meter } from "./meter.js";
import { copyViewLink } from "./obs.js";
import { Pace } from "./pace.js";
import { Photos } from "./photos.js";
import { OwnCamera } from "./own_camera.js";
import { Presets } from "./presets.js";
import { Reference } from "./reference.js";
import { fill, keepAwake } from "./screen.js";
import { Sound } from "./sound.js";
import { Still } from "./still.js";
import { MouthSwitch, turn } from "./switches.js";
import { Takings } from "./takings.js";
import { Words } from "./words.js";

const POLL_MS = 1000;
const PING_MS = 2000;
const root = document.documentElement;
const ids = (id) => document.getElementById(id);

class Page {
  #api = new Api();
  #choices = new Choices();
  #link = new Link(this.#api, ids("avatar"));
  #words = new Words(ids);
  #meter = new Meter(ids);
  #sound = new Sound(ids);
  #camera = new OwnCamera(ids, this.#choices);
  #pace = new Pace(() => this.#camera.track);
  #lobby = new Lobby(ids, this.#choices);
  #reference = new Reference(ids, (message) => this.#link.send(message));
  #takings = new Takings(this.#api, ids, () => this.#recordable());
  #gains = new Gains(ids("gains"), ids("reset"));
  #gallery = new Gallery(this.#api, { box: ids("gallery"), words: ids("portrait-words"), file: ids("file"), drop: ids("drop"), own: ids("portrait-own"), credit: ids("portrait-credit") });
  #photos = new Photos(this.#api, this.#gallery, { button: ids("portrait-photos"), file: ids("photos") });
  #backgrounds = new Backgrounds(this.#api, { box: ids("backgrounds"), file: ids("background-file"), words: ids("background-words") });
  #still = new Still(this.#api, ids("still"), (text) => this.#backgrounds.say(text));
  #hold = new Hold(ids, this.#choices, (message) => this.#link.send(message));
  #presets = new Presets({ list: ids("presets"), form: ids("preset-form"), words: ids("preset-words") }, this.#choices, () => this.#look());
  #mouth = new MouthSwitch(ids, (message) => this.#link.send(message));
  #viewKey = null;

  async open() {
    this.#words.show({ name: "off" });
    this.#remember();
    this.#listen();
    setInterval(() => this.#link.send({ type: "ping", t: performance.now() }), PING_MS);
    await this.#fillGallery();
  }

  /** What was chosen on an earlier visit. */
  #remember() {
    this.#gallery.preferred = this.#choices.get("portrait");
    this.#gains.values = this.#choices.get("gains") ?? {};
    turn(ids("mirror"), this.#choices.get("mirror") === true);
    turn(ids("self-mirror"), this.#choices.get("self-mirror") !== false);
  }

  /** The portraits are there when the model is, which may be seconds after the page. */
  async #fillGallery() {
    try {
      for (;;) {
        const state = await this.#api.state();
        this.#backgrounds.begin(state.background);
        this.#gallery.fill(state);
        this.#told(state);
        if (!this.#link.wanted && !this.#camera.track) this.#words.show({ name: "off", reason: state.reason });
        if (state.ready) return;
        await new Promise((done) => setTimeout(done, POLL_MS));
      }
    } catch (problem) {
      if (!this.#link.wanted) this.#words.show({ name: "failed", problem });
    }
  }

  /** What the server's state says beside its portraits. */
  #told({ view_key: key, panel, calls, credentials }) {
    this.#viewKey = key;
    this.#takings.credentials = credentials;
    this.#words.panel = panel;
    root.toggleAttribute("data-panel", panel);
    tellOfCalls(ids, calls);
  }

  #listen() {
    const click = (id, act) => ids(id).addEventListener("click", act);
    click("start", () => this.#start());
    click("stop", () => this.#takings.mayStop() && this.#stop());
    click("full", () => fill(ids("frame"), ids("avatar")));
    click("leave-full", () => document.exitFullscreen());
    click("mirror", () => this.#mirror());
    click("self-mirror", () => this.#choices.set("self-mirror", turn(ids("self-mirror"))));
    click("obs", async () => (ids("obs-words").textContent = await copyViewLink(this.#viewKey, ids("obs-link"))));
    this.#camera.addEventListener("change", ({ detail }) => this.#seen(detail));
    this.#camera.addEventListener("gone", () => this.#cameraGone());
    this.#camera.addEventListener("problem", ({ detail }) => this.#sound.say(`${detail.title} ${detail.detail}`));
    this.#sound.addEventListener("change", () => this.#link.connection?.setAudio(this.#sound.track));
    this.#gains.addEventListener("change", ({ detail }) => {
      this.#choices.set("gains", detail);
      this.#link.send({ type: "gains", ...detail });
    });
    this.#backgrounds.addEventListener("change", ({ detail }) => {
      this.#link.send({ type: "background", to: detail });
      this.#still.show(this.#gallery.portrait, detail);
    });
    this.#presets.addEventListener("apply", ({ detail }) => this.#wear(detail));
    this.#gallery.addEventListener("choose", ({ detail }) => this.#choose(detail));
    this.#link.addEventListener("state", ({ detail }) => this.#state(detail));
    this.#link.addEventListener("connection", ({ detail }) => this.#connected(detail));
    this.#link.addEventListener("message", ({ detail }) => this.#heard(detail));
    addEventListener("online", () => this.#link.hurry());
    addEventListener("pagehide", () => this.#link.stop(true));
    addEventListener("pageshow", ({ persisted }) => persisted && this.#stop()); // back from the browser's cache
    listenForKeys(ids("keys-on"), (key) => this.#key(key));
  }

  async #start() {
    if (this.#link.wanted) return this.#link.hurry();
    if (this.#lobby.open) return this.#lobby.go();
    try {
      if (!this.#words.panel && !this.#camera.live) {
        ids("stop").disabled = false; // so that the focus can go there
        this.#words.show({ name: "asking" });
        if (!(await this.#camera.open())) return undefined;
        if (!this.#lobby.skipped) {
          this.#words.show({ name: "lobby" });
          if (!(await this.#lobby.enter(this.#camera.track))) return undefined;
          this.#lobby.count(this.#live()).then((here) => here && this.#reference.take());
        }
      }
    } catch (problem) {
      this.#words.show({ name: "failed", problem });
      ids("stop").disabled = true;
      return undefined;
    }
    return this.#link.start(
      () => ({ video: this.#camera.track, audio: this.#sound.track, background: this.#backgrounds.chosen }),
      (state) => {
        this.#told(state);
        return this.#gallery.restore(state);
      },
    );
  }

  /** Resolves with the avatar's first frame, or when there will be none. */
  #live() {
    return new Promise((resolve) => {
      const look = ({ detail: { name } }) => {
        if (!["live", "off", "failed"].includes(name)) return;
        this.#link.removeEventListener("state", look);
        if (name !== "live") this.#lobby.close();
        resolve();
      };
      this.#link.addEventListener("state", look);
    });
  }

  #stop() {
    this.#camera.stop();
    this.#lobby.close();
    this.#hold.end();
    this.#link.stop();
    this.#sound.stop();
    ids("start").focus();
  }

  /** Another camera, or the first one. */
  #seen(track) {
    this.#pace.begin();
    if (this.#lobby.open) this.#lobby.use(track);
    this.#link.connection?.setVideo(track).catch(() => {}); // of one that has just ended
  }

  #cameraGone() {
    this.#stop();
    this.#words.show({ name: "failed", problem: { title: "The camera went away.", detail: "Connect it, then start again." } });
  }

  #state(state) {
    const live = state.name === "live";
    const stoppable = Boolean(this.#link.wanted || this.#camera.track);
    if (stoppable) ids("stop").disabled = false;
    this.#words.show(state);
    ids("stop").disabled = !stoppable;
    for (const id of ["record", "snapshot", "hold", "full", "reference", "search"]) ids(id).disabled = !live;
    this.#sound.live = live;
    root.toggleAttribute("data-frames", live);
    keepAwake(live);
    if (live) return;
    this.#takings.finish();
    this.#reference.hint({ none: true });
    this.#meter.watch(null);
  }

  /** A new connection knows the portrait, and nothing else of what the person chose on the last one. */
  #connected(connection) {
    this.#meter.watch(connection);
    this.#pace.begin();
    if (this.#words.panel) return; // what the avatar is like now stays until something is changed here
    connection.send({ type: "gains", ...this.#gains.values });
    connection.send({ type: "mirror", on: "mirror" in root.dataset });
    this.#hold.sendTo((message) => connection.send(message));
    this.#backgrounds.sendTo((to) => connection.send({ type: "background", to }));
    this.#mouth.sendTo((message) => connection.send(message));
  }

  #heard(message) {
    const acts = {
      hello: ({ portrait, own_mouth }) => {
        this.#chooseAgain(portrait);
        this.#mouth.begin(own_mouth);
      },
      portrait: ({ id, notes }) => {
        this.#gallery.mark(id);
        if (notes?.length) this.#gallery.say(notes.join(" "));
      },
      background: ({ ok, why }) => this.#backgrounds.say(ok ? "" : why),
      reference: (answer) => this.#reference.answered(answer),
      mouth: ({ why }) => this.#mouth.say(why),
      hint: (hint) => {
        this.#reference.hint(hint);
        this.#hold.hear(hint.resting);
      },
      stats: (stats) => {
        this.#meter.hear(stats);
        this.#pace.hear(stats);
      },
      error: ({ text }) => this.#gallery.say(text),
    };
    acts[message.type]?.(message);
  }

  #choose(portrait) {
    this.#choices.set("portrait", portrait.name);
    this.#still.show(portrait, this.#backgrounds.chosen);
    this.#link.send({ type: "portrait", id: portrait.id });
  }

  /** The person may have chosen another one while the connection was made. */
  #chooseAgain(portrait) {
    const { chosen } = this.#gallery;
    if (this.#words.panel) return this.#gallery.mark(portrait);
    if (chosen && chosen !== portrait) this.#link.send({ type: "portrait", id: chosen });
    return undefined;
  }

  /** What a preset is made of. */
  #look() {
    return { gains: this.#gains.values, portrait: this.#gallery.portrait?.name, background: this.#backgrounds.chosen };
  }

  #wear({ gains, portrait, background }) {
    this.#gains.values = gains;
    this.#gallery.named(portrait);
    this.#backgrounds.take(background ?? "keep");
  }

  #mirror() {
    const on = turn(ids("mirror"));
    this.#choices.set("mirror", on);
    this.#link.send({ type: "mirror", on });
  }

  /** Without a microphone there is no sound to wait for, and a recorder would. */
  #recordable() {
    const { stream } = this.#link.connection;
    return this.#sound.track ? stream : new MediaStream(stream.getVideoTracks());
  }

  #key(key) {
    const buttons = { x: "reference", f: "search", m: "mirror", p: "mouth", h: "hold", r: "record", s: "snapshot" };
    if (key in buttons) ids(buttons[key]).click();
    else if (/^[1-9]$/.test(key)) this.#presets.nth(Number(key)) || this.#gallery.nth(Number(key));
    else return false;
    return true;
  }
}

new Page().open();
