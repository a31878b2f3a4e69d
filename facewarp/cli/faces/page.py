"""`facewarp page`: write a folder that runs the tracker inside a browser, with no server behind."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from facewarp.cli.console import Output, output_of

DEFAULT_PORT = 8766


def page(
    ctx: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.")],
    serve: Annotated[
        bool,
        typer.Option("--serve", help="Then give it out to this machine's browsers, until Ctrl-C."),
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of --serve; 0 for any free one.")
    ] = DEFAULT_PORT,
    template: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="What faces are registered to.")
    ] = "average",
    max_size: Annotated[
        float,
        typer.Option(min=0.1, metavar="MB", help="Refuse a page that a browser loads more for."),
    ] = 9.0,
) -> None:
    """Write a folder of static files that runs the face tracker inside a browser.

    Any web server can give it out; no picture leaves the browser. Needs npm the first time, for
    ONNX Runtime's build for browsers.

    Examples:
      facewarp page site
      facewarp page site --serve
      facewarp page site --template me --max-size 12
    """
    from facewarp.face.template.library import find_template
    from facewarp.system.atomic_folder import check_folder

    output = output_of(ctx)
    find_template(template)
    check_folder(out)

    from facewarp.page.build import build_page  # torch: after what can be told without it

    sizes = build_page(out, template=template, max_size_mb=max_size)
    output.emit_json({"output": out, "files": sizes, "bytes": sum(sizes.values())})
    output.say(
        f"[green]{escape(str(out / 'index.html'))}[/]: {len(sizes)} files, "
        f"{sum(sizes.values()) / 1e6:.1f} MB for a browser to load"
    )
    if serve:
        _serve(output, out, port)


def _serve(output: Output, folder: Path, port: int) -> None:
    from facewarp.page.server import PageServer

    server = PageServer(folder, port)
    output.say(f"Open [bold]{server.address}[/] in a browser; Ctrl-C ends it.")
    server.serve()
