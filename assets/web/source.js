// The source of frames: a camera, or a video file that the browser plays.

export class SourceError extends Error {
  /**
   * @param {string} title
   * @param {string} text
   */
  constructor(title, text) {
    super(text);
    this.title = title;
  }
}

const CAMERA_ERRORS = /** @type {Record<string, [string, string]>} */ ({
  NotAllowedError: ["The camera is blocked", "Allow it with the camera symbol in the address bar, then try again. Or play a video file instead."],
  NotFoundError: ["No camera was found", "Connect one and try again, or play a video file from this computer instead."],
  OverconstrainedError: ["No such camera", "The one chosen is not there any more. Choose another, or play a video file instead."],
  NotReadableError: ["The camera is in use", "Another program or page has it. Close that one and try again, or play a video file instead."],
});

/**
 * The stream of a camera: as near to the size asked for as it can.
 * @param {string | undefined} deviceId
 * @param {number} width
 * @param {number} height
 */
export async function openCamera(deviceId, width, height) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new SourceError("No camera at this address", "Browsers give their camera to https and localhost only. A video file can be played all the same.");
  }
  /** @type {MediaTrackConstraints} */
  const video = { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: 30 } };
  if (deviceId) video.deviceId = { exact: deviceId };
  else video.facingMode = "user";
  try {
    return await navigator.mediaDevices.getUserMedia({ video, audio: false });
  } catch (thrown) {
    const error = /** @type {Error} */ (thrown);
    const [title, text] = CAMERA_ERRORS[error.name] ?? ["The camera does not start", `${error.message || error.name}. Try again, or play a video file instead.`];
    throw new SourceError(title, text);
  }
}

/** Lists the cameras, once one was allowed: [{id, label}]. */
export async function listCameras() {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  const cameras = devices.filter((device) => device.kind === "videoinput");
  return cameras.map((device, i) => ({ id: device.deviceId, label: device.label || `Camera ${i + 1}` }));
}

/**
 * Opens a file as a stream that repeats; `close` frees it.
 * @param {File} file
 */
export async function openFile(file) {
  /** @type {HTMLVideoElement & {captureStream?: () => MediaStream, mozCaptureStream?: () => MediaStream}} */
  const player = document.createElement("video");
  player.muted = player.loop = player.playsInline = true;
  player.src = URL.createObjectURL(file);
  let painter = 0;
  const close = () => {
    cancelAnimationFrame(painter);
    player.pause();
    URL.revokeObjectURL(player.src);
    player.removeAttribute("src");
  };
  try {
    await player.play();
    if (!player.videoWidth) throw new Error("there are no pictures in it");
  } catch (error) {
    close();
    throw new SourceError("This file can't be played", `The browser does not play ${file.name}. MP4 with H.264 and WebM usually work.`);
  }
  const captured = player.captureStream?.() ?? player.mozCaptureStream?.();
  if (captured) return { stream: new MediaStream(captured.getVideoTracks()), close };
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [player.videoWidth, player.videoHeight];
  const paint = () => {
    canvas.getContext("2d")?.drawImage(player, 0, 0);
    painter = requestAnimationFrame(paint);
  };
  paint();
  return { stream: canvas.captureStream(30), close };
}
