"""A short film of the Moon's phases as MP4, with embedded subtitles."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from scripts.samples import texts

WIDTH, HEIGHT = 640, 360
RATE = 24
SECONDS = 5
RADIUS = 118
MILLISECONDS = Fraction(1, 1000)
MOV_TEXT = "mov_text"


def film(path: Path) -> None:
    """Writes the film: H.264 and one subtitle track."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        container.metadata["title"] = "Phases of the Moon"
        video = container.add_stream("libx264", rate=RATE, options={"crf": "26", "preset": "slow"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.thread_count = 1  # so that the same script makes the same bytes
        video.gop_size = RATE
        subtitles = container.add_mux_stream(MOV_TEXT)
        subtitles.time_base = MILLISECONDS
        for packet in _subtitles(subtitles):
            container.mux(packet)
        background = _stars(np.random.default_rng(3))
        for number in range(RATE * SECONDS):
            frame = av.VideoFrame.from_ndarray(_frame(background, number / (RATE * SECONDS)), format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode())


def _subtitles(stream: av.stream.Stream) -> list[av.Packet]:
    """mov_text keeps each line as its length in two bytes and its text; gaps are lines of no text."""
    packets = []
    before = 0.0
    for start, end, text in texts.SUBTITLES:
        for begin, finish, shown in ((before, start, ""), (start, end, text)):
            data = shown.encode("utf-8")
            packet = av.Packet(len(data).to_bytes(2, "big") + data)
            packet.pts = packet.dts = round(begin * 1000)
            packet.duration = round((finish - begin) * 1000)
            packet.time_base, packet.stream = MILLISECONDS, stream
            packets.append(packet)
        before = end
    return packets


def _stars(random: np.random.Generator) -> NDArray[np.float64]:
    rows = np.linspace(0, 1, HEIGHT)[:, None, None]
    sky = np.array((0.03, 0.04, 0.10)) * (1 - rows) + np.array((0.10, 0.13, 0.26)) * rows
    sky = np.repeat(sky, WIDTH, axis=1)
    for _ in range(130):
        y, x, light = random.integers(0, HEIGHT), random.integers(0, WIDTH), random.uniform(0.2, 0.9)
        sky[y, x] = light
    return sky


def _frame(background: NDArray[np.float64], time: float) -> NDArray[np.uint8]:
    """A sphere lit from a direction that goes once around it, rising slowly from left to right."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    centre_x, centre_y = WIDTH * (0.36 + 0.28 * time), HEIGHT * (0.55 - 0.10 * np.sin(np.pi * time))
    u, v = (x - centre_x) / RADIUS, (y - centre_y) / RADIUS
    distance = np.hypot(u, v)
    depth = np.sqrt(np.clip(1 - distance**2, 0, 1))
    angle = np.pi * (0.12 + 1.76 * time)
    light = np.clip(u * np.sin(angle) - depth * np.cos(angle), 0, 1)
    ground = np.full_like(u, 0.94)
    for spot_x, spot_y, size, dark in (
        *((-0.35, -0.35, 0.34, 0.22), (0.20, -0.40, 0.22, 0.18), (-0.10, 0.15, 0.28, 0.15)),
        *((0.45, 0.05, 0.18, 0.20), (0.15, 0.62, 0.10, -0.05), (-0.55, 0.30, 0.16, 0.14)),
    ):
        ground -= dark * np.exp(-((((u - spot_x) ** 2 + (v - spot_y) ** 2) / size**2) ** 2))
    shade = (0.05 + 0.95 * light**0.7) * ground
    moon = shade[..., None] * np.array((1.0, 0.97, 0.88))
    inside = np.clip((1 - distance) * RADIUS / 1.5 + 0.5, 0, 1)[..., None]
    glow = (
        0.16 * np.clip(1 - abs(np.pi - angle) / np.pi, 0, 1) * np.exp(-np.clip(distance - 1, 0, 9) * 2.2)
    )[..., None]
    picture = (background + glow * np.array((0.7, 0.75, 1.0))) * (1 - inside) + moon * inside
    return np.asarray(np.clip(picture, 0, 1) * 255, dtype=np.uint8)
