// A worker that every encoded frame passes on its way out: tells which RTP timestamp left when.
onrtctransform = ({ transformer }) => {
  const note = new TransformStream({
    transform(frame, on) {
      const stamp = frame.getMetadata().rtpTimestamp ?? frame.timestamp;
      postMessage({ stamp, at: performance.timeOrigin + performance.now() });
      on.enqueue(frame);
    },
  });
  transformer.readable.pipeThrough(note).pipeTo(transformer.writable).catch(() => {});
};
onmessage = () => {};
