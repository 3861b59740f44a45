/** What the person takes along: a recording or one frame of what the server sends, its mark included. */

const KINDS = ["video/mp4;codecs=avc1.42E01E,mp4a.40.2", "video/mp4", "video/webm;codecs=vp9,opus", "video/webm"];

/** Records a stream into a file. */
export class Recorder {
  #recorder = null;
  #began = 0;

  get running() {
    return this.#recorder !== null;
  }

  /** Seconds so far. */
  get seconds() {
    return this.running ? (performance.now() - this.#began) / 1000 : 0;
  }

  /** @param {MediaStream} stream @param {(file: File) => void} done */
  start(stream, done) {
    const mimeType = KINDS.find((kind) => MediaRecorder.isTypeSupported(kind));
    const recorder = new MediaRecorder(stream, { mimeType, videoBitsPerSecond: 4_000_000 });
    const parts = []; // each recording's own: the next may begin before this one's last part is there
    recorder.ondataavailable = ({ data }) => data.size && parts.push(data);
    recorder.onstop = () => {
      const type = recorder.mimeType.split(";")[0];
      if (parts.length) done(new File(parts, fileName(type.split("/")[1]), { type }));
    };
    recorder.start(1000);
    this.#recorder = recorder;
    this.#began = performance.now();
  }

  /** What there is until now is kept. */
  stop() {
    if (this.#recorder?.state !== "inactive") this.#recorder?.stop();
    this.#recorder = null;
  }
}

/** @param {HTMLVideoElement} video @returns {Promise<File>} */
export async function snapshot(video) {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await canvas.convertToBlob({ type: "image/png" });
  return new File([blob], fileName("png"), { type: "image/png" });
}

/** What the server can sign: the browser's other formats have no place for content credentials. */
const SIGNED = ["video/mp4", "image/png"];

/** The file with content credentials in it; or as it is, and why. @returns {Promise<{file: File, note: string}>} */
export async function signed(file, api, link) {
  if (!SIGNED.includes(file.type)) return { file, note: "this format carries no content credentials" };
  if (link.href.startsWith("blob:")) URL.revokeObjectURL(link.href);
  link.removeAttribute("href");
  Object.assign(link, { textContent: "Adding content credentials…", hidden: false });
  try {
    return { file: await api.sign(file), note: "" };
  } catch (problem) {
    return { file, note: `without content credentials: ${problem.message}` };
  }
}

/** Give the file to the browser's downloads; the link stays for those whose browser asked them. */
export function download(file, link, note = "") {
  if (link.href.startsWith("blob:")) URL.revokeObjectURL(link.href);
  Object.assign(link, { href: URL.createObjectURL(file), download: file.name, hidden: false });
  link.textContent = `${file.name} (${size(file.size)}${note && `; ${note}`})`;
  link.click();
}

function size(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function fileName(extension) {
  const now = new Date();
  const local = new Date(now - 60_000 * now.getTimezoneOffset()).toISOString();
  return `mien-${local.slice(0, 19).replace("T", "-").replaceAll(":", "")}.${extension}`;
}
