/**
 * The intermediate results that the kernels of the WKV gradient share, and WGSL to access them.
 *
 * @module
 */
import { readSums, writeSums } from "./walk.ts";
import { outputAdjoint } from "./adjoint.ts";

/** 2^-96 and 2^96: see `chunked_backward.ts`. */
export const unit = "0x1p-96f", inverse = "0x1p+96f";

/**
 * All intermediate results are in one buffer, since a kernel can be bound to only eight:
 *
 * - the adjoints, `[batch, chunks + 1, 4, channels]`, the latest first: that of the last state, then the contribution
 *   of each chunk, from the last on; after the scan, each includes all later ones
 * - the states before each block of steps, and the last state, `[batch, chunks · blocks + 1, 4, channels]`
 * - the parts of the gradients of decay and bonus for each chunk, and the scale to multiply them by,
 *   `[batch, chunks, 3, channels]`
 *
 * The states are half as many floats as the keys; with chunks of 32 steps or more, the rest is less than that.
 */
export const sizes = ["batch", "time", "channels", "chunk", "chunks", "blocks", "statesAt", "partsAt"];

/** Functions that locate and read them. */
export const held = outputAdjoint + readSums("readHeld", "held") + writeSums("writeHeld", "held") + `
fn adjointAt(batch: u32, place: u32) -> u32 {
  return 4u * (batch * (params.chunks + 1u) + place) * params.channels;
}

fn stateAt(batch: u32, block: u32) -> u32 {
  return params.statesAt + 4u * (batch * (params.chunks * params.blocks + 1u) + block) * params.channels;
}

fn lastStateAt(batch: u32) -> u32 {
  return stateAt(batch, params.chunks * params.blocks);
}

fn partAt(batch: u32, chunk: u32) -> u32 {
  return params.partsAt + 3u * (batch * params.chunks + chunk) * params.channels;
}

// The scan assumes that all chunks are full: the adjoint at the end is older by the steps that the last chunk
// lacks.
fn lacking() -> f32 {
  return f32(params.chunks * params.chunk - params.time);
}
`;

/** Functions for the gradient of the last state; they need the keys. */
export const lastSums = `
const nowhere = 0xffffffffu;
const infinite = 0x7f800000u;

// The bits of |x|, in the order of the numbers.
fn magnitude(x: f32) -> u32 {
  return bitcast<u32>(x) & 0x7fffffffu;
}

fn scaled(adjoint: Sums, unit: f32) -> Sums {
  return Sums(adjoint.numerator * unit, adjoint.denominator * unit, adjoint.anchor, adjoint.age);
}

// The negated gradient of the last sums' exponent, given their adjoint.
fn shrunkBy(last: Sums, adjoint: Sums) -> f32 {
  return fma(last.numerator, adjoint.numerator, last.denominator * adjoint.denominator);
}

// The element of the key that is the last anchor; nowhere if the anchor is still that of the first state, whose age
// may not be an integer.
fn placeOfAnchor(last: Sums, batch: u32, channel: u32) -> u32 {
  let renewed = f32(params.time) - 1.0 - last.age;
  if (renewed >= 0.0 && last.age >= 0.0 && floor(last.age) == last.age) {
    let place = (batch * params.time + u32(renewed)) * params.channels + channel;
    if (key[place] == last.anchor) { return place; }
  }
  return nowhere;
}
`;
