// A worker that every encoded frame passes on its way out: posts its RTP timestamp and the time.
onrtctransform = ({ transformer }) => {
  const timestamps = new TransformStream({
    transform(frame, on) {
      const stamp = frame.getMetadata().rtpTimestamp ?? frame.timestamp;
      postMessage({ stamp, at: performance.timeOrigin + performance.now() });
      on.enqueue(frame);
    },
  });
  transformer.readable.pipeThrough(timestamps).pipeTo(transformer.writable).catch(() => {});
};
onmessage = () => {};
