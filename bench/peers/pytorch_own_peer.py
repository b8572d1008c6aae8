"""Training of the models of own_models.ts in PyTorch, in idiomatic code, controlled by own_training.ts.

Standard input and replies: as in pytorch_training_peer.py, with "x" and "y" in place of "ids", and "model", "heads".
"""

import json
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

from pytorch_peer import layer_norm, read_weights, reply_to_requests
from pytorch_training_peer import channel_mix, time_mix


def copy_linear(layer, w, name):
    layer.weight.copy_(w[name + ".weight"])
    if layer.bias is not None:
        layer.bias.copy_(w[name + ".bias"])


def copy_lstm(layer, w, name, suffix=""):
    """Its second bias stays 0: two biases would be updated twice as fast as one."""
    getattr(layer, "weight_ih_l0" + suffix).copy_(w[name + ".inputWeight"])
    getattr(layer, "weight_hh_l0" + suffix).copy_(w[name + ".hiddenWeight"])
    getattr(layer, "bias_ih_l0" + suffix).copy_(w[name + ".bias"])
    getattr(layer, "bias_hh_l0" + suffix).zero_().requires_grad_(False)


class Lstm(nn.Module):
    def __init__(self, w, options):
        super().__init__()
        both = "mixer.forwards.hiddenWeight" in w
        names = [("mixer.forwards", ""), ("mixer.backwards", "_reverse")] if both else [("mixer", "")]
        channels = w[names[0][0] + ".hiddenWeight"].shape[1]
        self.lstm = nn.LSTM(channels, channels, batch_first=True, bidirectional=both)
        for name, suffix in names:
            copy_lstm(self.lstm, w, name, suffix)

    def forward(self, x):
        return self.lstm(x)[0]


class RwkvBlock(nn.Module):
    """WKV is a loop over key.unbind(1) or key[:, t], whose gradient is cheaper and the usual form."""

    def __init__(self, w, prefix, unbind):
        super().__init__()
        self.names = [name.removeprefix(prefix) for name in w if name.startswith(prefix)]
        self.weights = nn.ParameterList(w[prefix + name] for name in self.names)
        self.unbind = unbind

    def forward(self, x):
        w = dict(zip(self.names, self.weights))
        x = x + time_mix(layer_norm(x, w, "ln1"), w, "timeMix.", self.unbind)
        return x + channel_mix(layer_norm(x, w, "ln2"), w, "channelMix.")


class Rwkv(nn.Module):
    def __init__(self, w, options):
        super().__init__()
        both = any(name.startswith("mixer.forwards.") for name in w)
        prefixes = ["mixer.forwards.", "mixer.backwards."] if both else ["mixer."]
        self.blocks = nn.ModuleList(RwkvBlock(w, prefix, options["unbind"]) for prefix in prefixes)

    def forward(self, x):
        forwards, *backwards = self.blocks
        return torch.cat([forwards(x), *(block(x.flip(1)).flip(1) for block in backwards)], -1)


class Attention(nn.Module):
    def __init__(self, w, options):
        super().__init__()
        channels, hidden = w["mixer.down.weight"].shape
        self.heads, self.causal = options["heads"], options["model"].startswith("regressor")
        self.ln1, self.ln2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.query, self.key, self.value, self.output = (nn.Linear(channels, channels, bias=False) for _ in range(4))
        self.up, self.down = nn.Linear(channels, hidden, bias=False), nn.Linear(hidden, channels, bias=False)
        for name in ("query", "key", "value", "output"):
            getattr(self, name).weight.copy_(w["mixer.attention." + name])
        copy_linear(self.up, w, "mixer.up")
        copy_linear(self.down, w, "mixer.down")

    def forward(self, x):
        h = self.ln1(x)
        q, k, v = (
            part(h).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.output(mixed.transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.ln2(x)), approximate="tanh"))


def mixer_of(w, options):
    return {"LSTM": Lstm, "RWKV": Rwkv, "attention": Attention}[options["model"].split(", ")[1]](w, options)


def head_of(w):
    head = nn.Linear(*reversed(w["head.weight"].shape))
    copy_linear(head, w, "head")
    return head


class Regressor(nn.Module):
    def __init__(self, w, options):
        super().__init__()
        self.up = nn.Linear(1, w["up.weight"].shape[0])
        copy_linear(self.up, w, "up")
        self.mixer, self.head = mixer_of(w, options), head_of(w)

    def loss(self, x, y):
        mixed = self.mixer(self.up(x.unsqueeze(-1)))
        return F.mse_loss(self.head(mixed[:, -1]).squeeze(-1), y)


class Tagger(nn.Module):
    def __init__(self, w, options):
        super().__init__()
        self.embedding = nn.Embedding(*w["embedding"].shape)
        self.embedding.weight.copy_(w["embedding"])
        self.mixer, self.head = mixer_of(w, options), head_of(w)

    def loss(self, x, y):
        return F.cross_entropy(self.head(self.mixer(self.embedding(x))).flatten(0, 1), y.flatten())


def main():
    options = json.loads(sys.stdin.buffer.readline())
    hyper, x, y = options["hyper"], torch.tensor(options["x"]), torch.tensor(options["y"])
    with torch.no_grad():
        model = (Tagger if options["model"].startswith("tagger") else Regressor)(read_weights(options["weights"]), options)
    params = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        params, hyper["learningRate"], (hyper["beta1"], hyper["beta2"]), hyper["epsilon"], hyper["weightDecay"]
    )

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = model.loss(x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, hyper["maxNorm"])
        optimizer.step()
        return loss.item()

    reply_to_requests(lambda: [[step()] for _ in range(options["checkedSteps"])], lambda _: step())


if __name__ == "__main__":
    main()
