"""The models in PyTorch, in idiomatic code, controlled by pytorch.ts.

Standard input: a line of JSON {"model", "length", "heads", "rotaryBase", "compiled", "ids", "weights": [[name, shape],
...]}, the weights themselves as little-endian float32 one after another, then a line of JSON for each request: "outputs"
is replied to with the logits after each of the ids, a number with the mean time of that many tokens, in ms per token.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F

torch.set_num_threads(1)
torch.set_num_interop_threads(1)


def layer_norm(x, w, name):
    return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"])


def mix(x, before, ratio):
    return x * ratio + before * (1 - ratio)


class Rwkv:
    def __init__(self, w, options):
        self.w = w
        self.layers = count(w, "blocks")
        self.decay = [-torch.exp(w[f"blocks.{i}.timeMix.decay"]) for i in range(self.layers)]

    def reset(self):
        self.state = torch.zeros(self.layers, 5, self.w["embedding"].shape[1])
        self.state[:, 3] = -1e38

    def step(self, token, position, seen):
        w = self.w
        x = layer_norm(F.embedding(token, w["embedding"]), w, "ln0")
        for i in range(self.layers):
            block = f"blocks.{i}"
            x = x + self.time_mix(layer_norm(x, w, block + ".ln1"), block + ".timeMix.", self.state[i], self.decay[i])
            x = x + self.channel_mix(layer_norm(x, w, block + ".ln2"), block + ".channelMix.", self.state[i])
        return F.linear(layer_norm(x, w, "lnOut"), w["head"])

    def time_mix(self, x, name, state, decay):
        w = self.w
        before, a, b, p, _ = state
        k = F.linear(mix(x, before, w[name + "mixK"]), w[name + "key"])
        v = F.linear(mix(x, before, w[name + "mixV"]), w[name + "value"])
        r = torch.sigmoid(F.linear(mix(x, before, w[name + "mixR"]), w[name + "receptance"]))
        now = w[name + "bonus"] + k
        top = torch.maximum(p, now)
        e1, e2 = torch.exp(p - top), torch.exp(now - top)
        wkv = (e1 * a + e2 * v) / (e1 * b + e2)
        past = p + decay
        top = torch.maximum(past, k)
        e1, e2 = torch.exp(past - top), torch.exp(k - top)
        state[0], state[1], state[2], state[3] = x, e1 * a + e2 * v, e1 * b + e2, top
        return F.linear(r * wkv, w[name + "output"])

    def channel_mix(self, x, name, state):
        w = self.w
        before = state[4]
        k = torch.square(torch.relu(F.linear(mix(x, before, w[name + "mixK"]), w[name + "key"])))
        r = torch.sigmoid(F.linear(mix(x, before, w[name + "mixR"]), w[name + "receptance"]))
        state[4] = x
        return r * F.linear(k, w[name + "value"])


class Transformer:
    """
    With a cache of fixed capacity that is written in place, which is faster here than concatenating. Only its filled part is
    read; if `seen` is None, all of it is read with a mask: compiled, one graph serves all positions.
    """

    def __init__(self, w, options):
        self.w = w
        self.layers = count(w, "blocks")
        self.heads, self.capacity = options["heads"], options["length"]
        self.size = w["embedding"].shape[1] // self.heads
        half = torch.arange(self.size // 2, dtype=torch.float64)
        angles = torch.outer(
            torch.arange(self.capacity, dtype=torch.float64), options["rotaryBase"] ** (-2 * half / self.size)
        )
        self.cos, self.sin = torch.cos(angles).float(), torch.sin(angles).float()
        self.positions = torch.arange(self.capacity)

    def reset(self):
        self.cache = torch.zeros(self.layers, 2, self.heads, self.capacity, self.size)

    def step(self, token, position, seen):
        w = self.w
        x = F.embedding(token, w["embedding"])
        for i in range(self.layers):
            block = f"blocks.{i}"
            x = x + self.attention(layer_norm(x, w, block + ".ln1"), block + ".attention.", self.cache[i], position, seen)
            h = F.linear(layer_norm(x, w, block + ".ln2"), w[block + ".feedForward.up"])
            x = x + F.linear(F.gelu(h, approximate="tanh"), w[block + ".feedForward.down"])
        return F.linear(layer_norm(x, w, "lnOut"), w["head"])

    def attention(self, x, name, cache, position, seen):
        w = self.w
        q, k, v = (F.linear(x, w[name + part]).view(self.heads, self.size) for part in ("query", "key", "value"))
        cache[0, :, position] = self.rotate(k, position).unsqueeze(1)
        cache[1, :, position] = v.unsqueeze(1)
        keys, values = cache[:, :, :seen]
        scores = keys @ self.rotate(q, position).unsqueeze(-1) * self.size**-0.5
        if seen is None:
            scores = scores.masked_fill((self.positions > position).unsqueeze(-1), float("-inf"))
        mixed = torch.softmax(scores, 1).transpose(1, 2) @ values
        return F.linear(mixed.flatten(), w[name + "output"])

    def rotate(self, x, position):
        left, right = x.chunk(2, -1)
        cos, sin = self.cos[position], self.sin[position]
        return torch.cat((left * cos - right * sin, right * cos + left * sin), -1)


class Lstm:
    def __init__(self, w, options):
        self.w = w
        self.layers = count(w, "layers")
        self.channels = w["embedding"].shape[1]
        self.lstm = torch.nn.LSTM(self.channels, self.channels, self.layers)
        for i in range(self.layers):
            getattr(self.lstm, f"weight_ih_l{i}").copy_(w[f"layers.{i}.inputWeight"])
            getattr(self.lstm, f"weight_hh_l{i}").copy_(w[f"layers.{i}.hiddenWeight"])
            getattr(self.lstm, f"bias_ih_l{i}").copy_(w[f"layers.{i}.bias"])
            getattr(self.lstm, f"bias_hh_l{i}").zero_()

    def reset(self):
        self.state = tuple(torch.zeros(self.layers, 1, self.channels) for _ in range(2))

    def step(self, token, position, seen):
        y, self.state = self.lstm(F.embedding(token, self.w["embedding"]).view(1, 1, -1), self.state)
        return F.linear(y.flatten(), self.w["head"])


def count(w, name):
    return len({key.split(".")[1] for key in w if key.startswith(name + ".")})


def read_weights(described):
    weights = {}
    for name, shape in described:
        size = 1
        for n in shape:
            size *= n
        data = bytearray(sys.stdin.buffer.read(4 * size))
        weights[name] = torch.frombuffer(data, dtype=torch.float32).view(shape)
    return weights


def main():
    options = json.loads(sys.stdin.buffer.readline())
    weights = read_weights(options["weights"])
    model = {"rwkv": Rwkv, "transformer": Transformer, "lstm": Lstm}[options["model"]](weights, options)
    forward = torch.compile(model.step) if options["compiled"] else model.step
    ids = torch.arange(max(64, options["length"]))

    def step(token, position):
        seen = None if options["compiled"] else position + 1
        return forward(ids[token], ids[position : position + 1], seen)

    last = len(options["ids"]) - 1

    def outputs():
        model.reset()
        return [step(token, i).tolist() for i, token in enumerate(options["ids"])]

    reply_to_requests(outputs, lambda i: step(i % 64, last))


def reply_to_requests(outputs, run):
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if request == "outputs":
            reply = outputs()
        else:
            start = time.perf_counter()
            for i in range(request):
                run(i)
            reply = 1000 * (time.perf_counter() - start) / request
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    with torch.inference_mode():
        main()
