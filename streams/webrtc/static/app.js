/** The page: its parts, and who tells whom. */

import { Api } from "./api.js";
import { Backgrounds } from "./backgrounds.js";
import { listCameras, openCamera, openMicrophone } from "./camera.js";
import { Gains } from "./gains.js";
import { Gallery } from "./gallery.js";
import { Recorder, download, signed, snapshot } from "./keep.js";
import { listenForKeys } from "./keys.js";
import { Link } from "./link.js";
import { Meter } from "./meter.js";
import { copyViewLink } from "./obs.js";
import { Still } from "./still.js";
import { Words } from "./words.js";

const POLL_MS = 1000;
const PING_MS = 2000;
const ANSWER_MS = 12_000;
const root = document.documentElement;
const ids = (id) => document.getElementById(id);

class Page {
  #api = new Api();
  #link = new Link(this.#api, ids("avatar"));
  #words = new Words(ids);
  #meter = new Meter(ids);
  #recorder = new Recorder();
  #gains = new Gains(ids("gains"), ids("reset"));
  #gallery = new Gallery(this.#api, { box: ids("gallery"), words: ids("portrait-words"), file: ids("file"), drop: ids("drop") });
  #backgrounds = new Backgrounds(this.#api, { box: ids("backgrounds"), file: ids("background-file"), words: ids("background-words") });
  #still = new Still(this.#api, ids("still"), (text) => this.#backgrounds.say(text));
  #viewKey = null;
  #video = null;
  #audio = null;
  #answer = 0;
  #opening = 0;
  #asking = false;
  #credentials = false;
  #awake = null;
  #ownMouth = null;

  async open() {
    this.#words.show({ name: "off" });
    this.#listen();
    setInterval(() => this.#link.send({ type: "ping", t: performance.now() }), PING_MS);
    await this.#fillGallery();
  }

  /** The portraits are there when the model is, which may be seconds after the page. */
  async #fillGallery() {
    try {
      for (;;) {
        const state = await this.#api.state();
        this.#backgrounds.begin(state.background);
        this.#gallery.fill(state);
        this.#viewKey = state.view_key;
        this.#words.panel = state.panel;
        root.toggleAttribute("data-panel", state.panel);
        ids("calls-words").textContent = state.virtual_camera ? `Video calls find this avatar as the camera “${state.virtual_camera}”.` : "";
        this.#credentials = state.credentials;
        if (!this.#link.wanted && !this.#video) this.#words.show({ name: "off", reason: state.reason });
        if (state.ready) return;
        await new Promise((done) => setTimeout(done, POLL_MS));
      }
    } catch (problem) {
      if (!this.#link.wanted) this.#words.show({ name: "failed", problem });
    }
  }

  #listen() {
    const click = (id, act) => ids(id).addEventListener("click", act);
    click("start", () => this.#start());
    click("stop", () => this.#stop());
    click("record", () => this.#record());
    click("snapshot", async () => this.#save(await snapshot(ids("avatar"))));
    click("full", () => this.#full());
    click("reference", () => this.#reference());
    click("search", () => this.#search());
    click("mirror", () => this.#mirror());
    click("obs", async () => (ids("obs-words").textContent = await copyViewLink(this.#viewKey, ids("obs-link"))));
    click("mouth", () => this.#mouth());
    click("microphone", () => this.#microphone());
    click("listen", () => this.#hear(ids("listen").ariaPressed !== "true"));
    ids("camera").addEventListener("change", ({ target }) => {
      if (this.#video) this.#useCamera(target.value).catch(() => {}); // else it is the one to start with
    });
    this.#gains.addEventListener("change", ({ detail }) => this.#link.send({ type: "gains", ...detail }));
    this.#backgrounds.addEventListener("change", ({ detail }) => {
      this.#link.send({ type: "background", to: detail });
      this.#still.show(this.#gallery.portrait, detail);
    });
    this.#gallery.addEventListener("choose", ({ detail }) => this.#choose(detail));
    this.#link.addEventListener("state", ({ detail }) => this.#state(detail));
    this.#link.addEventListener("connection", ({ detail }) => this.#connected(detail));
    this.#link.addEventListener("message", ({ detail }) => this.#told(detail));
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.#cameras());
    addEventListener("online", () => this.#link.hurry());
    addEventListener("pagehide", () => this.#link.stop(true));
    addEventListener("pageshow", ({ persisted }) => persisted && this.#stop()); // back from the browser's cache
    listenForKeys(ids("keys-on"), (key) => this.#key(key));
  }

  async #start() {
    if (this.#link.wanted) return this.#link.hurry();
    try {
      if (!this.#words.panel && this.#video?.readyState !== "live") {
        ids("stop").disabled = false; // so that the focus can go there
        this.#words.show({ name: "asking" });
        const { disabled, value } = ids("camera");
        await this.#useCamera(disabled ? undefined : value);
        if (!this.#video) return undefined;
      }
    } catch (problem) {
      this.#words.show({ name: "failed", problem });
      ids("stop").disabled = true;
      return undefined;
    }
    return this.#link.start(
      () => ({ video: this.#video, audio: this.#audio, background: this.#backgrounds.chosen }),
      (state) => this.#gallery.restore(state),
    );
  }

  #stop() {
    this.#opening += 1; // a camera that the browser still opens is not wanted any more
    for (const track of [this.#video, this.#audio]) track?.stop();
    this.#video = this.#audio = null;
    this.#link.stop();
    ids("self").srcObject = null;
    delete root.dataset.camera;
    this.#pressed("microphone", false);
    this.#hear(false);
    ids("start").focus();
  }

  /** @param {string} [id] another camera than the browser's own choice */
  async #useCamera(id) {
    const turn = ++this.#opening;
    let video;
    try {
      video = await openCamera(id);
    } catch (problem) {
      if (!this.#link.wanted) throw problem;
      return this.#sound(`${problem.title} ${problem.detail}`);
    }
    if (turn !== this.#opening) return video.stop();
    this.#video?.stop();
    this.#video = video;
    video.addEventListener("ended", () => this.#cameraGone(video));
    ids("self").srcObject = new MediaStream([video]);
    root.dataset.camera = "";
    await this.#link.connection?.setVideo(video);
    return this.#cameras();
  }

  #cameraGone(video) {
    if (video !== this.#video) return;
    this.#stop();
    this.#words.show({ name: "failed", problem: { title: "The camera went away.", detail: "Connect it, then start again." } });
  }

  #cameras() {
    return listCameras(ids("camera"), this.#video?.getSettings().deviceId);
  }

  #state(state) {
    const live = state.name === "live";
    const stoppable = Boolean(this.#link.wanted || this.#video);
    if (stoppable) ids("stop").disabled = false;
    this.#words.show(state);
    ids("stop").disabled = !stoppable;
    for (const id of ["record", "snapshot", "full", "reference", "search"]) ids(id).disabled = !live;
    ids("listen").disabled = !(live && this.#audio);
    root.toggleAttribute("data-frames", live);
    this.#keepAwake(live);
    if (live) return;
    if (this.#recorder.running) this.#record();
    this.#neutral({ none: true });
    this.#meter.watch(null);
  }

  /** A phone that is looked at, but not touched, must not go to sleep. */
  async #keepAwake(wanted) {
    this.#awake?.release();
    this.#awake = null;
    if (!wanted) return;
    const lock = await navigator.wakeLock?.request("screen").catch(() => null);
    if ("frames" in root.dataset && !this.#awake) this.#awake = lock;
    else lock?.release();
  }

  /** A new connection knows the portrait, and nothing else of what the person chose on the last one. */
  #connected(connection) {
    this.#meter.watch(connection);
    if (this.#words.panel) return; // what the avatar is like now stays until something is changed here
    connection.send({ type: "gains", ...this.#gains.values });
    connection.send({ type: "mirror", on: "mirror" in root.dataset });
    this.#backgrounds.sendTo((to) => connection.send({ type: "background", to }));
    if (this.#ownMouth !== null) connection.send({ type: "mouth", own: this.#ownMouth });
  }

  #told(message) {
    const acts = {
      hello: ({ portrait, own_mouth }) => {
        this.#chooseAgain(portrait);
        this.#pressed("mouth", this.#ownMouth ?? own_mouth);
      },
      mouth: ({ why }) => (ids("mouth-words").textContent = `${why[0].toUpperCase()}${why.slice(1)}`),
      portrait: ({ id, notes }) => {
        this.#gallery.mark(id);
        if (notes?.length) this.#gallery.say(notes.join(" "));
      },
      background: ({ ok, why }) => this.#backgrounds.say(ok ? "" : why),
      reference: ({ ok, why }) => this.#answered(ok, why),
      hint: (hint) => this.#neutral(hint),
      stats: (stats) => this.#meter.hear(stats),
      error: ({ text }) => this.#gallery.say(text),
    };
    acts[message.type]?.(message);
  }

  #choose(portrait) {
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

  #reference() {
    this.#link.send({ type: "reference" });
    this.#waitForAnswer("…");
  }

  #search() {
    this.#link.send({ type: "search" });
    this.#waitForAnswer("Looking for 4 seconds: move a little, then rest.");
  }

  #waitForAnswer(text) {
    ids("reference-words").textContent = text;
    clearTimeout(this.#answer);
    this.#answer = setTimeout(() => this.#answered(false, "the server did not answer"), ANSWER_MS);
  }

  #answered(ok, why) {
    clearTimeout(this.#answer);
    const first = ok ? "Reference set" : "The reference stays as it was";
    ids("reference-words").textContent = why ? `${first}${ok ? ", but " : ": "}${why}.`.replace("..", ".") : `${first}.`;
  }

  #neutral({ neutral, why, none = false }) {
    ids("neutral").dataset.neutral = none ? "" : neutral ? "yes" : "no";
    const words = none ? "No face yet" : neutral ? "Your face is at rest" : `Not at rest${why ? `: ${why}` : ""}`;
    if (ids("neutral-words").textContent !== words) ids("neutral-words").textContent = words;
  }

  #mirror() {
    const on = !("mirror" in root.dataset);
    root.toggleAttribute("data-mirror", on);
    this.#pressed("mirror", on);
    this.#link.send({ type: "mirror", on });
  }

  #mouth() {
    this.#ownMouth = ids("mouth").ariaPressed !== "true";
    this.#pressed("mouth", this.#ownMouth);
    this.#link.send({ type: "mouth", own: this.#ownMouth });
    if (!this.#ownMouth) ids("mouth-words").textContent = "";
  }

  async #microphone() {
    const on = !this.#audio;
    if (this.#asking) return undefined;
    this.#asking = true;
    const turn = this.#opening;
    try {
      const audio = on ? await openMicrophone() : null;
      if (on && turn !== this.#opening && !this.#video) return audio.stop(); // stopped meanwhile
      if (on) this.#audio = audio;
    } catch (problem) {
      return this.#sound(problem.title);
    } finally {
      this.#asking = false;
    }
    if (!on) {
      this.#audio.stop();
      this.#audio = null;
      this.#hear(false);
    }
    this.#pressed("microphone", on);
    ids("listen").disabled = !(on && "frames" in root.dataset);
    this.#sound(on ? "Your voice comes back with the avatar; recordings have it." : "");
    return this.#link.connection?.setAudio(this.#audio);
  }

  /** An iPhone shows a video alone, and nothing else, on its full screen. */
  #full() {
    const [frame, video] = [ids("frame"), ids("avatar")];
    if (frame.requestFullscreen) frame.requestFullscreen().catch(() => {});
    else video.webkitEnterFullscreen?.();
  }

  #hear(on) {
    ids("avatar").muted = !on;
    this.#pressed("listen", on);
    if (!this.#audio) ids("listen").disabled = true;
    if (on) this.#sound("Wear headphones, or it echoes.");
  }

  #sound(text) {
    Object.assign(ids("sound"), { textContent: text, hidden: !text });
  }

  async #save(file) {
    const link = ids("saved");
    if (!this.#credentials) return download(file, link);
    const { file: kept, note } = await signed(file, this.#api, link);
    download(kept, link, note);
  }

  #record() {
    const start = !this.#recorder.running;
    if (start) this.#recorder.start(this.#recordable(), (file) => this.#save(file));
    else this.#recorder.stop();
    this.#pressed("record", start);
    const tick = () => {
      ids("record-word").textContent = this.#recorder.running ? `Stop ${clock(this.#recorder.seconds)}` : "Record";
      if (this.#recorder.running) setTimeout(tick, 250);
    };
    tick();
  }

  /** Without a microphone there is no sound to wait for, and a recorder would. */
  #recordable() {
    const { stream } = this.#link.connection;
    return this.#audio ? stream : new MediaStream(stream.getVideoTracks());
  }

  #pressed(id, on) {
    ids(id).setAttribute("aria-pressed", String(on));
  }

  #key(key) {
    const buttons = { x: "reference", f: "search", m: "mirror", p: "mouth", r: "record", s: "snapshot" };
    if (key in buttons) ids(buttons[key]).click();
    else if (/^[1-9]$/.test(key)) this.#gallery.nth(Number(key));
    else return false;
    return true;
  }
}

function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

new Page().open();
