"""The command line: `jinit demo`, `compare`, `schemes`, `gain`, `fans`, `inspect`, `convert`.

May import: the standard library and jinit's public names; a command imports its rooms as it runs.
"""

import argparse
import inspect
import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import jinit
from jinit.arguments import figure_path, integers, names, stride
from jinit.commands.comparing import EXAMPLES, SUMMARY, add_options, compare_starts

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["main"]

_EXAMPLES = """\
examples:
  jinit demo                          which initialization lets a deep network learn
  jinit compare --activation tanh     how the signal fares from each, before training
  jinit schemes he_normal             what a scheme draws, and its options
  jinit gain leaky_relu 0.2           the gain of a nonlinearity
  jinit fans 3 3 64 128 --groups 2    the fans of a kernel, and the stds they give
  jinit inspect model.safetensors     what a checkpoint holds, and what looks wrong
  jinit convert model.pt model.npz    the same weights in another format
"""

_DEMO_EXAMPLES = """\
examples:
  jinit demo
  jinit demo --depth 60 --schemes he,orthogonal,looks_linear --out deep.png
  jinit demo --activation tanh --schemes xavier,he,orthogonal --out tanh.png
  jinit demo --depth 3                shallow enough for almost any start
"""

_SCHEMES_EXAMPLES = """\
examples:
  jinit schemes
  jinit schemes orthogonal
"""

_GAIN_EXAMPLES = """\
examples:
  jinit gain tanh
  jinit gain leaky_relu 0.2
  jinit gain gelu --criterion backward
"""

_FANS_EXAMPLES = """\
examples:
  jinit fans 784,512
  jinit fans 3 3 64 128 --groups 2 --stride 2
  jinit fans 128,64,3,3 --layout OIHW
  jinit fans 512,8,64 --einsum "btd,dhk->bthk"
"""

_INSPECT_EXAMPLES = """\
examples:
  jinit inspect model.safetensors
  jinit inspect checkpoints/1000/default --sort std
  jinit inspect pytorch_model.bin.index.json --json
"""

_CONVERT_EXAMPLES = """\
examples:
  jinit convert pytorch_model.bin model.safetensors
  jinit convert model.weights.h5 model.npz --overwrite
  jinit convert model.msgpack checkpoints/0 --format orbax
"""

_READ = "safetensors, .npz, .npy, msgpack, .h5, .pt or .bin, an index of several, or a directory"

_MEANINGS = {
    None: "torch's value where torch has one, else as `second_moment`",
    "second_moment": "`E[f(z)^2] ** -0.5`: keeps the forward signal",
    "backward": "`E[f'(z)^2] ** -0.5`: keeps the gradient",
    "std": "`Var[f(z)] ** -0.5`: keeps the forward signal of standardized weights",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; bad arguments exit with status 2 and one line."""
    options = _parser().parse_args(argv)
    try:
        options.run(options)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "jinit":
            raise
        if type(error) is not ModuleNotFoundError:  # one of jinit's, which says what to do
            options.parser.exit(1, f"{options.parser.prog}: error: {error}\n")
        options.parser.exit(
            1,
            f"{options.parser.prog}: error: this command needs {error.name.split('.')[0]}, which "
            f'is not installed; pip install "jinit[{options.extra}]"\n',
        )
    except KeyboardInterrupt:
        return 130
    return 0


# Arguments.


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line each."""

    def error(self, message: str) -> NoReturn:
        line = " ".join(message.split())
        self.exit(2, f"{self.prog}: error: {line} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="jinit",
        description="Parameter initialization for JAX.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"jinit {jinit.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_demo(commands)
    _add_compare(commands)
    _add_schemes(commands)
    _add_gain(commands)
    _add_fans(commands)
    _add_inspect(commands)
    _add_convert(commands)
    return parser


def _add_command(
    commands: Any, name: str, summary: str, epilog: str, *, run: Any, extra: str = "report"
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, parser=parser, extra=extra)
    return parser


def _add_demo(commands: Any) -> None:
    summary = "train one deep plain network from several initializations"
    parser = _add_command(commands, "demo", summary, _DEMO_EXAMPLES, run=_run_demo, extra="demo")
    for name, text in {
        "depth": "number of hidden layers (30)",
        "width": "units of each (100)",
        "steps": "training steps (400)",
        "seed": "of the weights and the batches (0)",
    }.items():
        parser.add_argument(f"--{name}", type=int, metavar="N", help=text)
    parser.add_argument(
        "--activation", metavar="NAME", help="between layers: relu, tanh, gelu, silu, ... (relu)"
    )
    parser.add_argument(
        "--schemes",
        type=names,
        metavar="A,B,...",
        help="what to compare: any of `jinit schemes`, or glorot, he, kaiming, lecun, "
        "small_normal, xavier (zeros,small_normal,xavier,he,orthogonal, "
        "and looks_linear after relu)",
    )
    parser.add_argument(
        "--out",
        type=figure_path,
        default=Path("jinit-demo.png"),
        metavar="PATH",
        help="where to write the figure, a PNG (%(default)s)",
    )


def _add_compare(commands: Any) -> None:
    parser = _add_command(commands, "compare", SUMMARY, EXAMPLES, run=_run_compare, extra="demo")
    add_options(parser)


def _add_schemes(commands: Any) -> None:
    summary = "list all schemes, or describe one"
    parser = _add_command(commands, "schemes", summary, _SCHEMES_EXAMPLES, run=_run_schemes)
    parser.add_argument("name", nargs="?", metavar="NAME", help="the scheme to describe")


def _add_gain(commands: Any) -> None:
    summary = "print the gain of a nonlinearity"
    parser = _add_command(commands, "gain", summary, _GAIN_EXAMPLES, run=_run_gain)
    parser.add_argument("name", metavar="NAME", help="relu, leaky_relu, tanh, gelu, ...")
    parser.add_argument(
        "param", nargs="?", type=float, metavar="PARAM", help="its parameter, such as a slope"
    )
    parser.add_argument(
        "--criterion",
        metavar="C",
        help="print this one alone: second_moment, backward or std",
    )


def _add_fans(commands: Any) -> None:
    summary = "print the fans of a kernel, and the standard deviations they give"
    parser = _add_command(commands, "fans", summary, _FANS_EXAMPLES, run=_run_fans)
    parser.add_argument(
        "shape", nargs="+", metavar="SHAPE", help="dimensions, with spaces or commas between"
    )
    parser.add_argument("--layout", help="the axes by letter, such as OIHW (HWIO)")
    parser.add_argument("--groups", type=int, default=1, metavar="G", help="feature groups (1)")
    parser.add_argument(
        "--stride", type=stride, default=1, metavar="S", help="one, or one an axis: 2,1 (1)"
    )
    parser.add_argument("--transposed", action="store_true", help="a transposed convolution")
    parser.add_argument("--einsum", metavar="E", help="the einsum whose operand the kernel is")


def _add_inspect(commands: Any) -> None:
    summary = "print what a checkpoint holds, tensor by tensor, and what looks wrong"
    parser = _add_command(commands, "inspect", summary, _INSPECT_EXAMPLES, run=_run_inspect)
    parser.add_argument("file", metavar="FILE", help=_READ)
    parser.add_argument(
        "--sort", default="file", metavar="ORDER", help="file, name, size, mean, std, findings"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, with all digits")


def _add_convert(commands: Any) -> None:
    summary = "write a checkpoint in another format"
    parser = _add_command(commands, "convert", summary, _CONVERT_EXAMPLES, run=_run_convert)
    parser.add_argument("source", metavar="SRC", help=_READ)
    parser.add_argument(
        "destination", metavar="DST", help=".safetensors, .npz, .msgpack, or Orbax's directory"
    )
    parser.add_argument(
        "--format", metavar="F", help="safetensors, npz, msgpack or orbax (by the suffix)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")


# Commands.


def _run_demo(options: argparse.Namespace) -> None:
    from jinit.demo.comparison import Comparison
    from jinit.demo.presentation import perform
    from jinit.demo.settings import Settings

    fields = ("depth", "width", "activation", "schemes", "steps", "seed")
    given = {name: getattr(options, name) for name in fields}
    with _argument_errors(options):
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
        comparison = Comparison(settings)
    perform(comparison, options.out, _console())


def _run_compare(options: argparse.Namespace) -> None:
    with _argument_errors(options):
        comparison = compare_starts(options)
    comparison.plot().savefig(options.out)
    if options.json:
        print(comparison.to_json(indent=2))
    else:
        console = _console()
        console.print(comparison, f"\nFigure written to {options.out}", soft_wrap=False)


def _run_schemes(options: argparse.Namespace) -> None:
    from jinit.demo.starts import public_schemes, unknown_scheme
    from jinit.display.tables import SchemeRow, schemes_table

    schemes = public_schemes()
    if options.name is None:
        rows = [
            SchemeRow(
                name,
                [other for other in schemes if schemes[other] is scheme and other != name],
                _first_line(scheme),
            )
            for name, scheme in schemes.items()
            if name == scheme.__name__
        ]
        _console().print(schemes_table(rows))
    elif options.name in schemes:
        _console().print(_described(schemes[options.name]), markup=False, soft_wrap=True)
    else:
        options.parser.error(unknown_scheme(options.name, schemes))


def _run_gain(options: argparse.Namespace) -> None:
    from jinit.display.tables import gains_table

    criteria = _MEANINGS if options.criterion is None else {options.criterion: ""}
    with _argument_errors(options):
        gains = {
            criterion: jinit.calculate_gain(options.name, options.param, criterion=criterion)
            for criterion in criteria
        }
    if options.criterion is not None:
        print(gains[options.criterion])
        return
    rows = {name or "default": (gains[name], text) for name, text in _MEANINGS.items()}
    _console().print(gains_table(rows))


def _run_fans(options: argparse.Namespace) -> None:
    from jinit.display.tables import fans_table

    with _argument_errors(options):
        shape = integers(" ".join(options.shape))
        fans = jinit.compute_fans(
            shape,
            layout=options.layout,
            groups=options.groups,
            stride=options.stride,
            transposed=options.transposed,
            einsum=options.einsum,
        )
        stds: dict[str, Any] = {
            "he": jinit.he_normal(fans=fans).std(shape),
            "xavier": jinit.xavier_normal(fans=fans).std(shape),
            "lecun": jinit.lecun_normal(fans=fans).std(shape),
        }
    _console().print(fans_table(fans._asdict(), stds))


def _run_inspect(options: argparse.Namespace) -> None:
    from jinit.display.progress import progress_bar
    from jinit.pretrained.inspection import check_order, inspect
    from jinit.pretrained.sources import open_source

    console = _console()
    with _argument_errors(options), open_source(options.file) as source:
        check_order(options.sort)
        with progress_bar(console, "reading", len(source)) as done:
            seen = inspect(source, progress=done).sorted_by(options.sort)
    if options.json:
        print(seen.to_json(indent=2))
    else:
        console.print(seen)


def _run_convert(options: argparse.Namespace) -> None:
    from jinit.display.progress import progress_bar
    from jinit.pretrained.converting import convert
    from jinit.pretrained.sources import open_source

    console = _console()
    with (
        _argument_errors(options),
        open_source(options.source) as source,
        progress_bar(console, "reading", len(source)) as done,
    ):
        settings = {"format": options.format, "overwrite": options.overwrite}
        made = convert(source, options.destination, **settings, progress=done)
    console.print(str(made), markup=False, soft_wrap=True)


@contextmanager
def _argument_errors(options: argparse.Namespace) -> Iterator[None]:
    """Report what jinit says of an argument as an error of the command line."""
    try:
        yield
    except (OSError, TypeError, ValueError, argparse.ArgumentTypeError) as error:
        options.parser.error(str(error))


def _console() -> "Console":
    from rich.console import Console

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # not every pipe can encode a bar
    return Console(highlight=False)


def _first_line(scheme: Any) -> str:
    return (inspect.getdoc(scheme) or "").partition("\n")[0]


def _described(scheme: Any) -> str:
    bare = [p.replace(annotation=p.empty) for p in scheme.signature.parameters.values()]
    signature = scheme.signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)
    return f"jinit.{scheme.__name__}{signature}\n\n{inspect.getdoc(scheme)}"
