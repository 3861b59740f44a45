/**
 * The server that served this page: its JSON, and its refusals in words.  Where it wants a token, the page came
 * with a cookie that carries it.
 */

/** Something that went wrong, said for the person before the screen. */
export class Problem extends Error {
  /**
   * @param {string} title one sentence
   * @param {string} detail what to do about it
   * @param {{status?: number, retryAfter?: number, final?: boolean}} more retryAfter in seconds
   */
  constructor(title, detail = "", { status = 0, retryAfter = undefined, final = false } = {}) {
    super(title);
    Object.assign(this, { title, detail, status, retryAfter, final });
  }
}

export class Api {
  /** A response that is a success; a Problem otherwise. */
  async request(path, options = {}) {
    let response;
    try {
      response = await fetch(path, { cache: "no-store", ...options });
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw new Problem("The server does not answer.", "Is Mien still running?");
    }
    if (!response.ok) throw await asProblem(response);
    return response;
  }

  async state(signal) {
    return (await this.request("/api/state", { signal })).json();
  }

  /** @param {File} file @returns {Promise<{id: string, name: string, image: string, notes: string[]}>} */
  async addPortrait(file) {
    const headers = { "Content-Type": file.type, "X-Name": asHeader(file.name.replace(/\.[^.]*$/, "")) };
    return (await this.request("/api/portraits", { method: "POST", body: file, headers })).json();
  }

  /** One more photo of the person of one of the visitor's own. @returns {Promise<{notes: string[], refused: string[]}>} */
  async addPhoto(id, file) {
    const headers = { "Content-Type": file.type, "X-Name": asHeader(file.name) };
    return (await this.request(`/api/portraits/${id}/photos`, { method: "POST", body: file, headers })).json();
  }

  /** The same file, with content credentials. @param {File} file @returns {Promise<File>} */
  async sign(file) {
    const headers = { "Content-Type": file.type };
    const response = await this.request("/api/credentials", { method: "POST", body: file, headers });
    return new File([await response.blob()], file.name, { type: file.type });
  }

  /** Another name for one of the visitor's own. @returns {Promise<{name: string}>} */
  async renamePortrait(id, name) {
    const headers = { "X-Name": asHeader(name) };
    return (await this.request(`/api/portraits/${id}`, { method: "PATCH", headers })).json();
  }

  async removePortrait(id) {
    await this.request(`/api/portraits/${id}`, { method: "DELETE" });
  }

  /** The avatar at rest. @param {string | null} background @returns {Promise<Blob>} */
  async still(portrait, background) {
    const query = new URLSearchParams(background ? { background } : {});
    return (await this.request(`/api/portraits/${portrait}/still.jpg?${query}`)).blob();
  }

  /** @param {File} file an image @returns {Promise<string>} the background's name */
  async addBackground(file) {
    const headers = { "Content-Type": file.type };
    const response = await this.request("/api/backgrounds", { method: "POST", body: file, headers });
    return (await response.json()).background;
  }

  /** @returns {Promise<{answer: string, location: string}>} */
  async openSession(offer, { portrait, background, view }, signal) {
    const query = new URLSearchParams({ ...(portrait && { portrait }), ...(background && { background }), view });
    return this.#offer(`/session?${query}`, offer, signal);
  }

  /** @param {string | null} session whose avatar @returns {Promise<{answer: string, location: string}>} */
  async openView(offer, session) {
    return this.#offer(session ? `/whep?session=${encodeURIComponent(session)}` : "/whep", offer);
  }

  async #offer(path, offer, signal = undefined) {
    const headers = { "Content-Type": "application/sdp" };
    const response = await this.request(path, { method: "POST", body: offer, headers, signal });
    return { answer: await response.text(), location: response.headers.get("Location") };
  }

  /** Also while the page is being left. */
  async closeSession(location) {
    await this.request(location, { method: "DELETE", keepalive: true }).catch(() => {});
  }
}

/** UTF-8, byte for byte: a header's value takes no other characters. */
function asHeader(text) {
  const plain = text.replace(/[\0-\x1f\x7f]/g, " ").slice(0, 60);
  return String.fromCharCode(...new TextEncoder().encode(plain));
}

/** A refusal in the server's own words: the first sentence says what is wrong, the others what to do. */
async function asProblem(response) {
  const { status } = response;
  const body = await response.json().catch(() => ({}));
  const retryAfter = Number.parseFloat(response.headers.get("Retry-After")) || undefined;
  const more = { status, retryAfter, final: status !== 429 && status < 500 };
  if (status === 401) {
    return new Problem("This server asks for its token.", "Open the link that Mien printed when it started.", more);
  }
  const [title, ...rest] = (body.detail || `The server refused (${status}).`).split(/(?<=[.!?])\s+/);
  return new Problem(title, rest.join(" "), more);
}
