/** The portraits: chosen, uploaded, dropped, pasted. */

/** Events: "choose" (detail: {id, picture, name}). */
export class Gallery extends EventTarget {
  #api;
  #box;
  #words;
  #limits = {};
  #pictures = new Map();

  /** @type {string | null} the chosen one's id */
  chosen = null;

  constructor(api, { box, words, file, drop }) {
    super();
    this.#api = api;
    this.#box = box;
    this.#words = words;
    box.addEventListener("change", ({ target }) => this.choose(target.value));
    file.addEventListener("change", () => {
      this.add(file.files[0]);
      file.value = "";
    });
    addEventListener("paste", ({ clipboardData }) => this.add(imageIn(clipboardData), false));
    listenForDrops(drop, (data) => this.add(imageIn(data) ?? data.files[0]));
  }

  /** @param {{portraits: {id: string, name: string, image: string}[], limits: object}} state the server's */
  fill({ portraits = [], limits }) {
    this.#limits = limits ?? {};
    for (const portrait of portraits) this.#show(portrait);
    const ids = portraits.map(({ id }) => id);
    for (const [id, { label }] of ids.length ? this.#pictures : []) {
      if (ids.includes(id)) continue;
      label.remove();
      this.#pictures.delete(id);
    }
    if (!this.#pictures.has(this.chosen) && ids.length) this.choose(ids[0]);
  }

  choose(id) {
    const known = this.#pictures.get(id);
    if (!known) return;
    this.mark(id);
    this.dispatchEvent(new CustomEvent("choose", { detail: { id, ...known } }));
  }

  /** The n-th portrait, from 1. */
  nth(n) {
    const radio = this.#box.querySelectorAll("input")[n - 1];
    if (radio) this.choose(radio.value);
  }

  /** Show that this one is drawn now. */
  mark(id) {
    const known = this.#pictures.get(id);
    if (!known) return;
    this.chosen = id;
    known.label.querySelector("input").checked = true;
  }

  say(text) {
    this.#words.textContent = text;
  }

  async add(file, say = true) {
    if (!file) {
      if (say) this.say("That is not a picture.");
      return;
    }
    const refused = this.#refusal(file);
    if (refused) {
      this.say(refused);
      return;
    }
    this.say("Looking for the face…");
    try {
      const portrait = await this.#api.addPortrait(file);
      this.#show(portrait);
      this.choose(portrait.id);
      this.say(portrait.notes?.length ? portrait.notes.join(" ") : `${portrait.name || "The portrait"} is ready.`);
    } catch (problem) {
      this.say([problem.title ?? problem.message, problem.detail].filter(Boolean).join(" "));
    }
  }

  #refusal(file) {
    if (!file.type.startsWith("image/")) return "That is not a picture: give a JPEG, PNG or WebP.";
    const most = this.#limits.portrait_bytes;
    if (most && file.size > most) return `That picture is too large: at most ${Math.round(most / 1e6)} MB.`;
    return "";
  }

  #show({ id, name, image }) {
    if (this.#pictures.has(id)) return;
    const label = document.createElement("label");
    const radio = document.createElement("input");
    Object.assign(radio, { type: "radio", name: "portrait", value: id });
    const img = document.createElement("img");
    Object.assign(img, { src: image, alt: name || "Portrait", title: name ?? "" });
    label.append(radio, img);
    this.#pictures.set(id, { label, picture: image, name });
    this.#box.append(label);
  }
}

/** The first picture in what was dropped or pasted. */
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
