/**
 * A minimal writer of ONNX graphs: operators, constants, inputs and outputs.
 *
 * @module
 */
import protobuf from "protobufjs";
import type { HostTensor } from "./case.ts";

// The part of onnx.proto3 that is used here, with the format's field numbers.
const schema = protobuf.parse(
  `
  syntax = "proto3";
  message Attribute {
    string name = 1; float f = 2; int64 i = 3; bytes s = 4; int32 type = 20;
  }
  message Node {
    repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4;
    repeated Attribute attribute = 5; string domain = 7;
  }
  message Tensor { repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9; }
  message Dimension { int64 dim_value = 1; }
  message Shape { repeated Dimension dim = 1; }
  message TensorType { int32 elem_type = 1; Shape shape = 2; }
  message Type { TensorType tensor_type = 1; }
  message Value { string name = 1; Type type = 2; }
  message Graph {
    repeated Node node = 1; string name = 2; repeated Tensor initializer = 5;
    repeated Value input = 11; repeated Value output = 12;
  }
  message OperatorSet { string domain = 1; int64 version = 2; }
  message Model { int64 ir_version = 1; Graph graph = 7; repeated OperatorSet opset_import = 8; }
`,
  { keepCase: true },
).root;

const elementTypes = { float32: 1, int32: 6, int64: 7 };
type ElementType = keyof typeof elementTypes;

/** The attributes of an operator: numbers are integers, except in `{ float: x }`. */
type Attributes = Readonly<Record<string, number | string | { readonly float: number }>>;

interface Node {
  readonly op_type: string;
  readonly domain: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly attribute: readonly object[];
}

function encodeAttribute(name: string, value: Attributes[string]) {
  if (typeof value === "number") return { name, type: 2, i: value };
  if (typeof value === "string") return { name, type: 3, s: new TextEncoder().encode(value) };
  return { name, type: 1, f: value.float };
}

/** A graph under construction: every method adds a value and returns its name. */
export class OnnxGraph {
  readonly #nodes: Node[] = [];
  readonly #constants: object[] = [];
  readonly #inputs: object[] = [];
  readonly #outputs: object[] = [];
  readonly #renamed = new Map<string, string>();
  #names = 0;

  /** Adds an input. */
  input(name: string, type: ElementType, shape: readonly number[]): string {
    this.#inputs.push(describe(name, type, shape));
    return name;
  }

  /** Marks a value as an output. It takes the output's name, so that the operator writes to the caller's memory. */
  output(name: string, value: string, shape: readonly number[]): void {
    this.#renamed.set(value, name);
    this.#outputs.push(describe(name, "float32", shape));
  }

  /** Adds a float32 constant. */
  constant({ data, shape }: HostTensor): string {
    const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return this.#addConstant("float32", shape, raw);
  }

  /** Adds an int64 constant, for operators' sizes and axes. */
  integers(values: readonly number[]): string {
    const raw = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.#addConstant("int64", [values.length], raw);
  }

  /** Adds an operator with one output. */
  node(type: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.nodes(type, inputs, 1, attributes)[0];
  }

  /** Adds an operator with `count` outputs; one with a name like `com.microsoft.Gelu` is from that domain. */
  nodes(type: string, inputs: readonly string[], count: number, attributes: Attributes = {}): string[] {
    const dot = type.lastIndexOf(".");
    const output = Array.from({ length: count }, () => this.#name());
    this.#nodes.push({
      op_type: type.slice(dot + 1),
      domain: type.slice(0, Math.max(dot, 0)),
      input: inputs,
      output,
      attribute: Object.entries(attributes).map(([name, value]) => encodeAttribute(name, value)),
    });
    return output;
  }

  /** Encodes the graph as a file. */
  encode(): Uint8Array {
    const model = schema.lookupType("Model");
    const rename = (name: string) => this.#renamed.get(name) ?? name;
    return model.encode({
      ir_version: 10,
      opset_import: [{ domain: "", version: 21 }, { domain: "com.microsoft", version: 1 }],
      graph: {
        name: "token",
        node: this.#nodes.map((node) => ({
          ...node,
          input: node.input.map(rename),
          output: node.output.map(rename),
        })),
        initializer: this.#constants,
        input: this.#inputs,
        output: this.#outputs,
      },
    }).finish();
  }

  #addConstant(type: ElementType, dims: readonly number[], raw_data: Uint8Array): string {
    const name = this.#name();
    this.#constants.push({ name, dims, data_type: elementTypes[type], raw_data });
    return name;
  }

  #name(): string {
    return `v${this.#names++}`;
  }
}

function describe(name: string, type: ElementType, shape: readonly number[]) {
  const dim = shape.map((size) => ({ dim_value: size }));
  return { name, type: { tensor_type: { elem_type: elementTypes[type], shape: { dim } } } };
}
