/**
 * The scratch memory of the WebAssembly kernels, in floats. A kernel with none takes a path that needs none.
 *
 * @module
 */
/** A number of columns, rounded up to whole panels: see `panels.as.ts`. */
function inPanels(columns: number): number {
  return 8 * Math.ceil(columns / 8);
}

/** Maps a kernel's sizes to the number of floats that it needs; see `Device` in `../kernels.ts`. */
export const scratch = {
  attention(
    _batch: number,
    queryTime: number,
    keyTime: number,
    _keyCapacity: number,
    _valueCapacity: number,
    _maskCapacity: number,
    channels: number,
    heads: number,
  ): number {
    if (queryTime < 4) return 0;
    const size = channels / heads;
    return keyTime * (inPanels(size) + 8) + 8 * size;
  },

  attentionBackward(
    _batch: number,
    _queryTime: number,
    keyTime: number,
    _keyCapacity: number,
    _valueCapacity: number,
    _maskCapacity: number,
    channels: number,
    heads: number,
  ): number {
    const size = channels / heads;
    return keyTime * (inPanels(size) + 32) + 32 * (inPanels(size) + size);
  },

  lstmRecurrence(batch: number, time: number, channels: number): number {
    const panels = batch > 1 && batch * time >= 32 ? channels * inPanels(4 * channels) : 0;
    return panels + 4 * batch * channels;
  },

  lstmRecurrenceBackward(batch: number, time: number, channels: number): number {
    return channels * (batch * (time + 1) + 4 * (inPanels(channels) + batch));
  },

  wkvBackward(_batch: number, time: number): number {
    return 16 * (Math.ceil(time / 64) + 65);
  },
} satisfies Record<string, (...sizes: number[]) => number>;
