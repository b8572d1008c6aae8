/**
 * What the kernels of the gradient of the WKV scan leave each other, and the WGSL that finds it.
 *
 * @module
 */
import { readSums, writeSums } from "./walk.ts";
import { outputBack } from "./walk_back.ts";

/** 2^-96 and 2^96: see `chunked_backward.ts`. */
export const unit = "0x1p-96f", inverse = "0x1p+96f";

/**
 * All that is held between the kernels is in one buffer, of which a kernel can be bound to eight:
 *
 * - what is asked of the past, `[batch, chunks + 1, 4, channels]`, the latest first: by the gradient of the last state,
 *   and then by each chunk, the last one first; after the scan, also by everything behind it
 * - the states before each block of steps, and the last state, `[batch, chunks · blocks + 1, 4, channels]`
 * - what each chunk adds to the gradients of decay and bonus, and what these are still to be multiplied by,
 *   `[batch, chunks, 3, channels]`
 *
 * The states are half as many floats as the keys, and with chunks of 32 steps or more the rest is less than that.
 */
export const sizes = ["batch", "time", "channels", "chunk", "chunks", "blocks", "statesAt", "partsAt"];

/** What finds and reads it. */
export const held = outputBack + readSums("readHeld", "held") + writeSums("writeHeld", "held") + `
fn askedAt(batch: u32, place: u32) -> u32 {
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

// The scan takes it that all chunks are whole: what is asked at the end is as old as the steps that the last one lacks.
fn lacking() -> f32 {
  return f32(params.chunks * params.chunk - params.time);
}
`;

/** What the last state is to its gradient; needs the keys. */
export const lastSums = `
const nowhere = 0xffffffffu;
const infinite = 0x7f800000u;

// The bits of |x|, in the order of the numbers.
fn magnitude(x: f32) -> u32 {
  return bitcast<u32>(x) & 0x7fffffffu;
}

fn scaled(asked: Sums, unit: f32) -> Sums {
  return Sums(asked.numerator * unit, asked.denominator * unit, asked.anchor, asked.age);
}

// What the exponent of the last sums is given, less than nothing, by what is asked of them.
fn shrunkBy(last: Sums, asked: Sums) -> f32 {
  return fma(last.numerator, asked.numerator, last.denominator * asked.denominator);
}

// The element of the key that is the last anchor, unless that still is the first state's, whose age need not be an integer.
fn placeOfAnchor(last: Sums, batch: u32, channel: u32) -> u32 {
  let renewed = f32(params.time) - 1.0 - last.age;
  if (renewed >= 0.0 && last.age >= 0.0 && floor(last.age) == last.age) {
    let place = (batch * params.time + u32(renewed)) * params.channels + channel;
    if (key[place] == last.anchor) { return place; }
  }
  return nowhere;
}
`;
