"""The sandbox's pictures, composed from a prompt's own words and colours.

- `painter`: what `paint` gives, and which scene a prompt asks for
- `palette`: words as colours
- `canvas`: soft shapes, glow and grain, with Pillow only
- `scenes`: landscapes; `still`: things near by, and the abstract compositions
"""
