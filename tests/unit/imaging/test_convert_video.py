"""Videos that are converted so that Instagram accepts them."""

import io
from fractions import Fraction

import av
import pytest
from clips import write
from PIL import Image, ImageChops

from wonda_widgets.errors import UnsafeMediaError
from wonda_widgets.imaging import convert_video, video
from wonda_widgets.imaging.operations import (
    EncodeVideo,
    FrameRate,
    MoveIndex,
    Pad,
    Resize,
    Trim,
)


def decoded(path):
    with av.open(str(path)) as file:
        frames = [frame.to_image() for frame in file.decode(video=0)]
    with av.open(str(path)) as file:
        sounds = file.streams.audio
        samples = sum(frame.samples for frame in file.decode(audio=0)) if sounds else 0
    return frames, samples / 48_000


def is_near(color, other):
    return all(abs(one - two) < 40 for one, two in zip(color, other, strict=True))


@pytest.fixture
def target(tmp_path):
    return tmp_path / "result.mp4"


def test_webm_becomes_an_mp4_with_its_sound(tmp_path, target):
    path = write(tmp_path / "clip.webm", codec="libvpx", sound="libopus")
    result = convert_video.convert(path, target, [EncodeVideo()])
    assert result[:5] == ("MP4", "h264", "aac", 320, 180)
    assert result.seconds == pytest.approx(4, abs=0.05)
    assert (result.fps, result.index_first) == (24, True)
    frames, heard = decoded(target)
    assert len(frames) == 96
    assert heard == pytest.approx(4, abs=0.05)


def test_trim_keeps_frames_as_they_are(tmp_path, target):
    path = write(tmp_path / "clip.mp4", seconds=5)
    reports = []
    result = convert_video.convert(path, target, [Trim(seconds=3)], reports.append)
    assert result.seconds == pytest.approx(3, abs=0.2)
    frames, heard = decoded(target)
    assert 60 < len(frames) <= 72  # no frame that refers to a missing one
    assert heard == pytest.approx(3, abs=0.1)
    assert reports == sorted(reports)
    assert 0.8 < reports[-1] <= 1
    with av.open(str(path)) as before, av.open(str(target)) as after:
        first = [next(file.demux(video=0)) for file in (before, after)]
        assert bytes(first[0]) == bytes(first[1])


def test_index_moves_to_the_front(tmp_path, target):
    path = write(tmp_path / "clip.mp4")
    assert not video.facts(path).index_first
    assert convert_video.convert(path, target, [MoveIndex()]).index_first


def test_padding_has_its_color_and_the_video_in_the_middle(tmp_path, target):
    path = write(tmp_path / "clip.mp4")
    operations = [Resize(width=180, height=101), Pad(width=180, height=320, color="#00ff00")]
    result = convert_video.convert(path, target, operations)
    assert (result.width, result.height) == (180, 320)
    frames, _ = decoded(target)
    assert is_near(frames[50].getpixel((90, 20)), (0, 255, 0))
    assert is_near(frames[50].getpixel((40, 160)), (254, 0, 0))
    assert is_near(frames[50].getpixel((140, 160)), (0, 0, 254))


@pytest.mark.parametrize(("fps", "count"), [(30, 120), (60, 240), (12, 48)])
def test_frame_rate_changes_but_not_the_length(tmp_path, target, fps, count):
    path = write(tmp_path / "clip.mp4")
    result = convert_video.convert(path, target, [FrameRate(fps=fps)])
    assert result.fps == fps
    frames, heard = decoded(target)
    assert len(frames) == pytest.approx(count, abs=1)
    assert heard == pytest.approx(4, abs=0.05)


def test_largest_size_is_kept(tmp_path, target):
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for number in range(24 * 8):
            frame = av.VideoFrame.from_image(Image.effect_noise((320, 180), 90).convert("RGB"))
            frame.pts, frame.time_base = number, Fraction(1, 24)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    assert path.stat().st_size > 1_500_000
    result = convert_video.convert(path, target, [EncodeVideo(max_bytes=1_000_000)])
    assert result.size < 1_000_000
    assert result.seconds == pytest.approx(8, abs=0.05)


def test_odd_sides_and_ten_bits_are_encoded(tmp_path, target):
    path = write(tmp_path / "clip.mp4", codec="libx265", pix_fmt="yuv420p10le", sound=None)
    result = convert_video.convert(path, target, [Pad(width=321, height=571)])
    assert (result.codec, result.audio_codec) == ("h264", "")
    assert (result.width, result.height) == (320, 570)


def test_rotation_of_a_phone_is_applied(tmp_path, target):
    plain = write(tmp_path / "plain.mp4", sound=None).read_bytes()
    at = plain.index(b"tkhd") + 4 + 40
    turned = (0, 0x10000, 0, -0x10000 & 0xFFFFFFFF, 0, 0, 0, 0, 0x40000000)  # 90° clockwise
    path = tmp_path / "phone.mp4"
    path.write_bytes(
        plain[:at] + b"".join(each.to_bytes(4, "big") for each in turned) + plain[at + 36 :]
    )
    before = video.facts(path)
    assert (before.width, before.height) == (180, 320)
    result = convert_video.convert(path, target, [EncodeVideo()])
    assert (result.width, result.height) == (180, 320)
    frames, _ = decoded(target)
    assert is_near(frames[50].getpixel((90, 40)), (254, 0, 0))  # the left side is up
    assert is_near(frames[50].getpixel((90, 280)), (0, 0, 254))
    [copy] = [convert_video.convert(path, target, [Trim(seconds=3)])]
    assert (copy.width, copy.height) == (180, 320)


def test_damaged_packets_are_skipped(tmp_path, target):
    data = bytearray(write(tmp_path / "clip.mp4", sound=None).read_bytes())
    middle = data.index(b"mdat") + 900
    data[middle : middle + 400] = b"\xff" * 400
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    assert convert_video.convert(path, target, [FrameRate(fps=30)]).seconds > 1


@pytest.mark.parametrize("data", [b"", b"not a video", b"\0\0\0\x18ftypisom" + b"\0" * 500])
def test_what_is_no_video_is_refused(tmp_path, target, data):
    path = tmp_path / "clip.mp4"
    path.write_bytes(data)
    with pytest.raises(UnsafeMediaError, match="cannot be read"):
        convert_video.convert(path, target, [EncodeVideo()])


def test_gap_of_hours_does_not_fill_the_disk(tmp_path, target):
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 24)
        for number in (0, 1, 24 * 36_000):
            frame = av.VideoFrame.from_image(Image.new("RGB", (64, 64)))
            frame.pts, frame.time_base = number, Fraction(1, 24)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    with pytest.raises(UnsafeMediaError, match="longer than one hour"):
        convert_video.convert(path, target, [EncodeVideo()])
    with pytest.raises(UnsafeMediaError, match="should have"):
        convert_video.convert(path, target, [EncodeVideo(), Trim(seconds=60)])
    assert not target.exists()


def test_target_that_cannot_be_written_is_told(tmp_path):
    path = write(tmp_path / "clip.mp4")
    with pytest.raises(UnsafeMediaError, match="cannot be written: No such file"):
        convert_video.convert(path, tmp_path / "missing" / "x.mp4", [EncodeVideo()])


@pytest.mark.parametrize("seconds", [2.0, 2.7, 3.3])
@pytest.mark.parametrize("fps", [24, 25, 30])
def test_trim_damages_no_frame(tmp_path, target, seconds, fps):
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.options = {"bf": "8", "b_strategy": "0"}
        for number in range(fps * 4):
            picture = Image.new("RGB", (320, 180), "blue")
            picture.paste("red", (number * 2, 0, number * 2 + 60, 180))
            frame = av.VideoFrame.from_image(picture)
            frame.pts, frame.time_base = number, Fraction(1, fps)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    convert_video.convert(path, target, [Trim(seconds=seconds)])
    whole, part = decoded(path)[0], decoded(target)[0]
    assert seconds * fps - 12 <= len(part) <= seconds * fps + 1
    for one, other in zip(whole, part, strict=False):
        assert ImageChops.difference(one, other).getbbox() is None


@pytest.mark.parametrize(
    ("name", "sound"), [("clip.mp4", "libmp3lame"), ("clip.mov", "pcm_s16le"), ("o.mp4", "libopus")]
)
@pytest.mark.parametrize("operation", [MoveIndex(), Trim(seconds=3)])
def test_other_sound_is_encoded_as_aac(tmp_path, target, name, sound, operation):
    path = write(tmp_path / name, sound=sound)
    result = convert_video.convert(path, target, [operation])
    assert (result.codec, result.audio_codec) == ("h264", "aac")
    assert decoded(target)[1] == pytest.approx(min(4, getattr(operation, "seconds", 4)), abs=0.1)


def test_only_a_trim_shortens(tmp_path, target):
    path = write(tmp_path / "clip.mp4", size=(64, 64), seconds=1_000, fps=2, sound=None)
    assert convert_video.convert(path, target, [MoveIndex()]).seconds == pytest.approx(1_000)


@pytest.mark.parametrize(
    ("tags", "range_"),
    [({"colorspace": 1, "color_primaries": 1, "color_trc": 1}, 1), ({}, 1), ({"colorspace": 5}, 2)],
)
def test_colors_remain(tmp_path, target, tags, range_):
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for name, value in {**tags, "color_range": range_}.items():
            setattr(stream.codec_context, name, value)
        for number in range(24):
            frame = av.VideoFrame(1280, 720, "yuv420p")
            for plane, value in zip(frame.planes, (81, 90, 200), strict=True):
                plane.update(bytes([value]) * plane.buffer_size)
            frame.pts, frame.time_base = number, Fraction(1, 24)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    convert_video.convert(path, target, [FrameRate(fps=30)])

    def look(path):
        with av.open(str(path)) as file:
            frame = next(file.decode(video=0))
            tags = frame.colorspace, frame.color_primaries, frame.color_trc
            y, u, v = (bytes(plane)[0] for plane in frame.planes)
            return tags, (y, u, v)

    (before, values), (after, changed) = look(path), look(target)
    assert after == before
    if range_ == 2:  # full range becomes limited, as players expect
        values = (16 + values[0] * 219 // 255, 128 - (128 - values[1]) * 224 // 255, 191)
    assert changed == pytest.approx(values, abs=3)


def test_pixels_that_are_not_square_become_so(tmp_path, target):
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 352, 288, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(20, 11)
        for number in range(24):
            frame = av.VideoFrame.from_image(Image.new("RGB", (352, 288), "red"))
            frame.pts, frame.time_base = number, Fraction(1, 24)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    before = video.facts(path)
    assert (before.width, before.height) == (640, 288)
    with Image.open(io.BytesIO(video.poster(path))) as image:
        assert image.size == (640, 288)
    result = convert_video.convert(path, target, [EncodeVideo()])
    assert (result.width, result.height) == (640, 288)


@pytest.mark.parametrize("operation", [EncodeVideo(), MoveIndex()])
def test_cut_file_is_not_converted_as_if_it_were_whole(tmp_path, target, operation):
    whole = write(tmp_path / "clip.mp4", seconds=10, options={"movflags": "+faststart"})
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(UnsafeMediaError, match=r"ends after \d.* should have 10\.0 s"):
        convert_video.convert(path, target, [operation])
    assert not target.exists()
