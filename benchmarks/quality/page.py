"""The page `quality.md`: each suite writes its own part and leaves the other's as it is."""

from __future__ import annotations

from pathlib import Path

SCORES, EMBEDDINGS = "scores", "embeddings"
_BEGIN = f"<!-- {EMBEDDINGS}: written by `streamssl bench quality --suite embeddings` -->"


def write_part(path: Path, part: str, text: str) -> None:
    """Write one part of the page; the scores come first, then the embeddings.

    Args:
        path: The page, made where it is missing.
        part: `scores` or `embeddings`.
        text: Markdown of the part.
    """
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    scores, _, embeddings = before.partition(_BEGIN)
    parts = {SCORES: scores.strip(), EMBEDDINGS: embeddings.strip()} | {part: text.strip()}
    found = [parts[SCORES] or "# Quality"]
    found += [_BEGIN, parts[EMBEDDINGS]] if parts[EMBEDDINGS] else []
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(found) + "\n", encoding="utf-8")
