"""Training in PyTorch, in idiomatic code, controlled by pytorch.ts.

Standard input and replies: as in pytorch_peer.py, with "hyper", "ids" [B][T + 1], "checkedSteps" and "unbind" (how WKV's
loop takes its steps) besides. The outputs are the losses before each of the first steps, the time is that of a step.
"""

import json
import sys

import torch
import torch.nn.functional as F

from pytorch_peer import count, layer_norm, mix, read_weights, reply_to_requests


def rwkv(w, ids, options):
    x = layer_norm(w["embedding"][ids], w, "ln0")
    for i in range(count(w, "blocks")):
        block = f"blocks.{i}"
        x = x + time_mix(layer_norm(x, w, block + ".ln1"), w, block + ".timeMix.", options["unbind"])
        x = x + channel_mix(layer_norm(x, w, block + ".ln2"), w, block + ".channelMix.")
    return F.linear(layer_norm(x, w, "lnOut"), w["head"])


def shift_time(x):
    return F.pad(x, (0, 0, 1, -1))


def time_mix(x, w, name, unbind):
    before = shift_time(x)
    k = F.linear(mix(x, before, w[name + "mixK"]), w[name + "key"])
    v = F.linear(mix(x, before, w[name + "mixV"]), w[name + "value"])
    r = torch.sigmoid(F.linear(mix(x, before, w[name + "mixR"]), w[name + "receptance"]))
    scan = wkv(-torch.exp(w[name + "decay"]), w[name + "bonus"], k, v, unbind)
    return F.linear(r * scan, w[name + "output"])


# Compiling all unrolled steps as one graph takes more than ten minutes, so only the step is compiled.
@torch.compiler.disable(recursive=False)
def wkv(decay, bonus, keys, values, unbind):
    """RWKV in 150 lines, a batch at once."""
    a = b = torch.zeros_like(keys[:, 0])
    p = torch.full_like(a, -1e38)
    ys = []
    # Indexing is the usual form, but the gradient of each keys[:, t] is as large as keys; that of unbind is not.
    steps = zip(keys.unbind(1), values.unbind(1)) if unbind else ((keys[:, t], values[:, t]) for t in range(keys.shape[1]))
    for k, v in steps:
        y, a, b, p = wkv_step(decay, bonus, k, v, a, b, p)
        ys.append(y)
    return torch.stack(ys, 1)


def wkv_step(decay, bonus, k, v, a, b, p):
    now = bonus + k
    top = torch.maximum(p, now)
    e1, e2 = torch.exp(p - top), torch.exp(now - top)
    y = (e1 * a + e2 * v) / (e1 * b + e2)
    past = p + decay
    top = torch.maximum(past, k)
    e1, e2 = torch.exp(past - top), torch.exp(k - top)
    return y, e1 * a + e2 * v, e1 * b + e2, top


def channel_mix(x, w, name):
    before = shift_time(x)
    k = torch.square(torch.relu(F.linear(mix(x, before, w[name + "mixK"]), w[name + "key"])))
    r = torch.sigmoid(F.linear(mix(x, before, w[name + "mixR"]), w[name + "receptance"]))
    return r * F.linear(k, w[name + "value"])


def transformer(w, ids, options):
    x = w["embedding"][ids]
    time, channels = x.shape[1:]
    size = channels // options["heads"]
    angles = torch.outer(
        torch.arange(time, dtype=torch.float32),
        options["rotaryBase"] ** (-2 * torch.arange(size // 2, dtype=torch.float32) / size),
    )
    positions = torch.cos(angles), torch.sin(angles)
    future = torch.ones(time, time, dtype=torch.bool).triu(1)
    for i in range(count(w, "blocks")):
        block = f"blocks.{i}"
        x = x + attention(layer_norm(x, w, block + ".ln1"), w, block + ".attention.", size, positions, future)
        h = F.linear(layer_norm(x, w, block + ".ln2"), w[block + ".feedForward.up"])
        x = x + F.linear(F.gelu(h, approximate="tanh"), w[block + ".feedForward.down"])
    return F.linear(layer_norm(x, w, "lnOut"), w["head"])


def attention(x, w, name, size, positions, future):
    q, k, v = (F.linear(x, w[name + part]).unflatten(-1, (-1, size)).transpose(1, 2) for part in ("query", "key", "value"))
    scores = rotate(q, *positions) @ rotate(k, *positions).transpose(-2, -1) * size**-0.5
    mixed = torch.softmax(scores.masked_fill(future, float("-inf")), -1) @ v
    return F.linear(mixed.transpose(1, 2).flatten(2), w[name + "output"])


def rotate(x, cos, sin):
    left, right = x.chunk(2, -1)
    return torch.cat((left * cos - right * sin, right * cos + left * sin), -1)


class Lstm(torch.nn.Module):
    """torch.nn.LSTM, whose second bias stays 0: two biases would be updated twice as fast as one."""

    def __init__(self, w):
        super().__init__()
        layers, channels = count(w, "layers"), w["embedding"].shape[1]
        self.embedding, self.head = (torch.nn.Parameter(w[name]) for name in ("embedding", "head"))
        self.lstm = torch.nn.LSTM(channels, channels, layers, batch_first=True)
        with torch.no_grad():
            for i in range(layers):
                getattr(self.lstm, f"weight_ih_l{i}").copy_(w[f"layers.{i}.inputWeight"])
                getattr(self.lstm, f"weight_hh_l{i}").copy_(w[f"layers.{i}.hiddenWeight"])
                getattr(self.lstm, f"bias_ih_l{i}").copy_(w[f"layers.{i}.bias"])
                getattr(self.lstm, f"bias_hh_l{i}").zero_().requires_grad_(False)

    def forward(self, ids):
        return F.linear(self.lstm(self.embedding[ids])[0], self.head)


def open_model(weights, options):
    """The parameters that are trained, and the logits of ids."""
    if options["model"] == "lstm":
        model = Lstm(weights)
        return [p for p in model.parameters() if p.requires_grad], model
    w = {name: torch.nn.Parameter(value) for name, value in weights.items()}
    forward = {"rwkv": rwkv, "transformer": transformer}[options["model"]]
    return list(w.values()), lambda ids: forward(w, ids, options)


def main():
    options = json.loads(sys.stdin.buffer.readline())
    params, forward = open_model(read_weights(options["weights"]), options)
    hyper, ids = options["hyper"], torch.tensor(options["ids"])
    inputs, targets = ids[:, :-1], ids[:, 1:].flatten()
    optimizer = torch.optim.AdamW(
        params, hyper["learningRate"], (hyper["beta1"], hyper["beta2"]), hyper["epsilon"], hyper["weightDecay"]
    )

    def loss_of():
        return F.cross_entropy(forward(inputs).flatten(0, 1), targets)

    if options["compiled"]:
        # A function is recompiled for each set of weight names.
        torch._dynamo.config.recompile_limit = 64
        loss_of = torch.compile(loss_of)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, hyper["maxNorm"])
        optimizer.step()
        return loss.item()

    reply_to_requests(lambda: [[step()] for _ in range(options["checkedSteps"])], lambda _: step())


if __name__ == "__main__":
    main()
