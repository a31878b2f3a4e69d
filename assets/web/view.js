// The page for OBS and the like: what is drawn, and nothing else. The token stays in the address,
// so that a refresh, or a program that was started again with the same one, finds back.

const canvas = document.getElementById("view");
const context = canvas.getContext("2d");
const RETRY_MS = 2000;
const HEAD_BYTES = 12;
const whole = new URLSearchParams(location.search).has("picture");

let newest = null; // the message that waits while one is decoded
let isDrawing = false;

function blank() {
  newest = null;
  context.clearRect(0, 0, canvas.width, canvas.height);
}

async function draw(data) {
  newest = data;
  if (isDrawing) return;
  isDrawing = true;
  while (newest) {
    const message = newest;
    newest = null;
    const head = new DataView(message);
    const [width, height, x0, y0, x1] = [0, 2, 4, 6, 8].map((at) => head.getUint16(at));
    const part = new Blob([new Uint8Array(message, HEAD_BYTES)]);
    const image = x1 > x0 ? await createImageBitmap(part).catch(() => null) : null;
    if (width && (canvas.width !== width || canvas.height !== height)) [canvas.width, canvas.height] = [width, height];
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (image) context.drawImage(image, x0, y0);
    image?.close();
  }
  isDrawing = false;
}

function open() {
  const where = new URL("api/view", location.href);
  where.protocol = location.protocol.replace("http", "ws");
  where.search = whole ? "picture" : "";
  const socket = new WebSocket(where);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => draw(data);
  socket.onclose = () => {
    blank();
    setTimeout(again, RETRY_MS);
  };
}

/** Enters again first: a program that was started anew gives another cookie for the same token. */
async function again() {
  await fetch(location.href, { credentials: "same-origin" }).catch(() => {});
  open();
}

open();
