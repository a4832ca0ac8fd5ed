"""Videos for tests."""

from fractions import Fraction

import av
from PIL import Image


def write(path, *, codec="libx264", size=(320, 180), seconds=4.0, fps=24, sound="aac", **more):
    """Write a video whose left half is red, with a beep."""
    options = more.pop("options", {})
    with av.open(str(path), "w", options=options) as file:
        stream = file.add_stream(codec, rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt = more.pop("pix_fmt", "yuv420p")
        beep = file.add_stream(sound, rate=48_000, layout="mono") if sound else None
        picture = Image.new("RGB", size, "blue")
        picture.paste("red", (0, 0, size[0] // 2, size[1]))
        for number in range(round(seconds * fps)):
            frame = av.VideoFrame.from_image(picture)
            frame.pts, frame.time_base = number, Fraction(1, fps)
            file.mux(stream.encode(frame))
        if beep:
            count = round(seconds * 48_000)
            frame = av.AudioFrame(format="s16", layout="mono", samples=count)
            [plane] = frame.planes
            plane.update((bytes(range(0, 128, 4)) * plane.buffer_size)[: plane.buffer_size])
            frame.sample_rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
            for each in av.AudioResampler(
                beep.codec_context.format, "mono", 48_000, beep.codec_context.frame_size
            ).resample(frame):
                file.mux(beep.encode(each))
            file.mux(beep.encode())
        file.mux(stream.encode())
    return path
