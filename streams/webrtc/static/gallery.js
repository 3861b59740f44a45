/** The portraits: chosen, uploaded, dropped, pasted. */

import { Problem } from "./api.js";

/** Events: "choose" (detail: {id, image, name}). */
export class Gallery extends EventTarget {
  #api;
  #box;
  #words;
  #own;
  #credit;
  #limits = {};
  #portraits = new Map();

  /** @type {string | undefined} the name of the one to begin with, if the server has it */
  preferred;

  /** @type {string | null} the chosen one's id */
  chosen = null;

  constructor(api, { box, words, file, drop, own, credit }) {
    super();
    this.#api = api;
    this.#box = box;
    this.#words = words;
    this.#own = own;
    this.#credit = credit;
    box.addEventListener("change", ({ target }) => this.choose(target.value));
    file.addEventListener("change", () => {
      this.#addAll([...file.files]);
      file.value = "";
    });
    own.querySelector("#portrait-rename").addEventListener("click", () => this.#rename());
    own.querySelector("#portrait-remove").addEventListener("click", () => this.#discard());
    addEventListener("paste", ({ clipboardData }) => this.add(imageIn(clipboardData), false));
    listenForDrops(drop, (data) => this.#addAll([...data.files]));
  }

  /** @param {{portraits: {id: string, name: string, image: string}[], limits: object}} state the server's */
  fill({ portraits = [], limits }) {
    this.#limits = limits ?? {};
    for (const portrait of portraits) this.#show(portrait);
    if (this.chosen || !portraits.length) return;
    this.choose((portraits.find(({ name }) => name === this.preferred) ?? portraits[0]).id);
  }

  /**
   * Bring the server's portraits and the ones here together again: a server that began anew has lost what was
   * added, and its own have other ids.
   * @returns {Promise<string | null>} the id of the chosen one
   * @throws {Problem} it cannot be had any more; another one is never taken instead
   */
  async restore(state) {
    this.fill(state);
    const there = new Map((state.portraits ?? []).map((portrait) => [portrait.id, portrait]));
    const lost = [...this.#portraits.keys()].filter((id) => !there.has(id));
    const chosen = this.#portraits.get(this.chosen);
    if (chosen && lost.includes(this.chosen)) await this.#bringBack(this.chosen, chosen, [...there.values()]);
    for (const id of lost) {
      const { file, photos } = this.#portraits.get(id) ?? {};
      this.#remove(id);
      if (file) this.#send(file, photos).catch(() => {}); // not the chosen one: the connection need not wait for it
    }
    return this.chosen;
  }

  /** The chosen portrait, which the server does not have any more. */
  async #bringBack(id, { file, name, photos }, portraits) {
    const same = portraits.find((portrait) => !portrait.own && portrait.name === name);
    if (!file && !same) {
      throw new Problem("Your portrait is no longer on the server.", "Choose another or add it again, then start.", { final: true });
    }
    const found = file ? await this.#api.addPortrait(file) : same;
    for (const photo of photos) await this.#api.addPhoto(found.id, photo);
    this.#remove(id);
    this.#show(found, file, photos);
    this.choose(found.id);
  }

  #remove(id) {
    this.#portraits.get(id)?.label.remove();
    this.#portraits.delete(id);
  }

  async #send(file, photos = []) {
    const portrait = await this.#api.addPortrait(file);
    for (const photo of photos) await this.#api.addPhoto(portrait.id, photo);
    this.#show(portrait, file, photos);
    return portrait;
  }

  choose(id) {
    const known = this.#portraits.get(id);
    if (!known) return;
    this.mark(id);
    this.dispatchEvent(new CustomEvent("choose", { detail: { id, ...known } }));
  }

  /** The chosen one: {id, name, image}. */
  get portrait() {
    return this.chosen && { id: this.chosen, ...this.#portraits.get(this.chosen) };
  }

  /** The portrait of this name, if there is one. */
  named(name) {
    const found = [...this.#portraits].find(([, portrait]) => portrait.name === name);
    if (found && found[0] !== this.chosen) this.choose(found[0]);
  }

  /** The n-th portrait, from 1. */
  nth(n) {
    const radio = this.#box.querySelectorAll("input")[n - 1];
    if (radio) this.choose(radio.value);
  }

  /** Show that this one is drawn now. */
  mark(id) {
    const known = this.#portraits.get(id);
    if (!known) return;
    this.chosen = id;
    known.label.querySelector("input").checked = true;
    this.#own.hidden = !known.own;
    this.#credit.textContent = known.credit ? `${known.name}: ${known.credit}.` : "";
  }

  say(text) {
    this.#words.textContent = text;
  }

  /** One after the other; the last one that works is the avatar, and what is wrong with any of them is said. */
  async #addAll(files) {
    if (files.length < 2) return this.add(files[0]);
    const [ready, refused] = [[], []];
    for (const [index, file] of files.entries()) {
      this.say(`Looking for the face: image ${index + 1} of ${files.length}…`);
      try {
        ready.push(await this.#take(file));
      } catch (problem) {
        refused.push(`${file.name}: ${inWords(problem)}`);
      }
    }
    if (ready.length) this.choose(ready.at(-1).id);
    this.say([`${ready.length} of ${files.length} portraits are ready.`, ...refused].join(" "));
    return undefined;
  }

  async #rename() {
    const [id, known] = [this.chosen, this.#portraits.get(this.chosen)];
    const wished = prompt("The portrait's name:", known.name)?.trim();
    if (!wished || wished === known.name) return;
    try {
      const { name } = await this.#api.renamePortrait(id, wished);
      known.name = name;
      if (known.file) known.file = new File([known.file], `${name}.x`, { type: known.file.type }); // if it is sent again
      Object.assign(known.label.querySelector("img"), { alt: name, title: name });
      known.label.querySelector("span").textContent = name;
      this.say(`It is called ${name} now.`);
    } catch (problem) {
      this.say(inWords(problem));
    }
  }

  async #discard() {
    const [id, { name }] = [this.chosen, this.#portraits.get(this.chosen)];
    if (!confirm(`Remove ${name} from the server?`)) return;
    const others = [...this.#portraits.keys()].filter((other) => other !== id);
    try {
      if (others.length) this.choose(others[0]);
      await this.#api.removePortrait(id);
      this.#remove(id);
      this.say(`${name} is removed.`);
    } catch (problem) {
      this.say(inWords(problem));
    }
    this.#box.querySelector("input:checked")?.focus();
  }

  async add(file, say = true) {
    if (!file) {
      if (say) this.say("That is not an image.");
      return;
    }
    this.say("Looking for the face…");
    try {
      const portrait = await this.#take(file);
      this.choose(portrait.id);
      this.say(portrait.notes?.length ? portrait.notes.join(" ") : `${portrait.name || "The portrait"} is ready.`);
    } catch (problem) {
      this.say(inWords(problem));
    }
  }

  /** @throws {Problem} it is no portrait, or the server does not take it */
  async #take(file) {
    const refused = this.refusal(file);
    if (refused) throw new Problem(refused);
    // A copy: the file on the disk may be gone when it is wanted again.
    return this.#send(new File([await file.arrayBuffer()], file.name, { type: file.type }));
  }

  /** Why a file is not sent; "" if it is. */
  refusal(file) {
    if (!file.type.startsWith("image/")) return "That is not an image: give a JPEG, PNG or WebP.";
    const most = this.#limits.portrait_bytes;
    if (most && file.size > most) return `That image is too large: at most ${Math.round(most / 1e6)} MB.`;
    return "";
  }

  /**
   * @param {File} [file] what was added here, to be sent again to a server that has lost it
   * @param {File[]} [photos] further ones of the same person
   */
  #show({ id, name, image, own, credit }, file = undefined, photos = []) {
    if (this.#portraits.has(id)) return;
    const label = document.createElement("label");
    const radio = document.createElement("input");
    Object.assign(radio, { type: "radio", name: "portrait", value: id });
    const img = document.createElement("img");
    Object.assign(img, { src: image, alt: name || "Portrait", title: credit ? `${name}: ${credit}` : (name ?? "") });
    const caption = document.createElement("span");
    Object.assign(caption, { textContent: name || "Portrait", ariaHidden: "true" }); // the image says it
    label.append(radio, img, caption);
    this.#portraits.set(id, { label, image, name, file, photos, own, credit });
    this.#box.append(label);
  }
}

function inWords({ title, detail, message }) {
  return [title ?? message, detail].filter(Boolean).join(" ");
}

/** The first image in what was pasted. */
function imageIn(data) {
  return [...(data?.files ?? [])].find(({ type }) => type.startsWith("image/")) ?? null;
}

function listenForDrops(veil, take) {
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    veil.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) veil.hidden = true;
  });
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    veil.hidden = true;
    take(event.dataTransfer);
  });
}
