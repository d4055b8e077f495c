"""The page that compares runs: its table, its plots, and folders that can't be read."""

import json
import re
from html.parser import HTMLParser

import pytest

from spacy_docre.visualise.report import Run, read_runs, render_report, table

from ..cli.test_evaluate import plain, run

LABELS = {"a": {"p": 1, "r": 1, "f": 0.9, "gold": 40}, "b": {"p": 0, "r": 0, "f": 0.1, "gold": 2}}
LOG = [{"step": 0, "F1": None}, {"step": 100, "F1": 0.3}, {"step": 200, "F1": 0.5}]


def scores(f: float, **others) -> dict:
    return {"rel_micro_f": f, "rel_intra_f": f, "rel_inter_f": 0.2, "docs_per_second": 12.34, **others}


@pytest.fixture
def metrics(tmp_path):
    folder = tmp_path / "metrics"
    folder.mkdir()
    for name, f in (("10-student_tuned", 0.6123), ("2-teacher", 0.5)):
        (folder / f"{name}.json").write_text(json.dumps(scores(f, rel_per_label=LABELS)), encoding="utf8")
    (folder / "2-teacher.jsonl").write_text("\n".join(map(json.dumps, LOG)), encoding="utf8")
    (folder / "meta.json").write_text('{"performance": {}}', encoding="utf8")
    return folder


def cells(page: str) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", page)
    return [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]


def test_runs_are_found_by_their_scores(metrics):
    """By file name; meta.json has no scores; a log is optional."""
    found = read_runs(metrics)
    assert [r.name for r in found] == ["student tuned", "teacher"]
    assert found[1].log == LOG
    assert found[0].log == []


def test_the_table_by_hand():
    page = table([Run("x", scores(0.5), []), Run("y <&>", scores(0.25, rel_ign_f=None), [])])
    assert cells(page) == [
        ["", "F1", "F1 within", "F1 across", "Documents/s"],
        ["x", "50.0", "50.0", "20.0", "12.3"],
        ["y &lt;&amp;&gt;", "25.0", "25.0", "20.0", "12.3"],
    ]


def test_the_best_of_each_column_is_bold():
    page = table([Run("x", scores(0.5), []), Run("y", scores(0.25), [])])
    assert re.findall(r"<td class=best>(.*?)</td>", page) == ["50.0", "50.0", "20.0", "12.3", "20.0", "12.3"]


def test_one_run_has_no_best():
    assert "class=best" not in table([Run("x", scores(0.5), [])])


def test_the_page_is_whole_and_needs_nothing_from_elsewhere(metrics):
    page = render_report(read_runs(metrics), "Invented <documents>")
    HTMLParser().feed(page)
    assert "<h1>Invented &lt;documents&gt;</h1>" in page
    assert page.count("<svg") == page.count("</svg>") == 4
    assert not re.findall(r'(?:src|href)="(?!#)', re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL))


def test_without_logs_there_is_no_learning_curve():
    page = render_report([Run("x", scores(0.5, rel_per_label=LABELS), [])], "One")
    assert page.count("<svg") == 3


def test_the_command(metrics, tmp_path):
    code, text = run("report", metrics, tmp_path / "out" / "page.html", "--title", "Mine")
    assert code == 0
    assert "2 run(s)" in text
    assert "<title>Mine</title>" in (tmp_path / "out" / "page.html").read_text(encoding="utf8")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("bad.json", "{", "bad.json: can't read it as JSON"),
        ("2-teacher.jsonl", '{"step": 1}\nnonsense', "2-teacher.jsonl, line 2: can't read it"),
    ],
)
def test_what_cannot_be_read_is_named_and_nothing_is_written(metrics, tmp_path, name, content, message):
    (metrics / name).write_text(content, encoding="utf8")
    code, text = run("report", metrics, tmp_path / "page.html")
    assert code == 1
    assert message in plain(text)
    assert not (tmp_path / "page.html").exists()


def test_a_folder_without_scores(tmp_path):
    code, text = run("report", tmp_path, tmp_path / "page.html")
    assert code == 1
    assert "E124" in text


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["1-teacher", "2-student"], ["teacher", "student"]),
        (["3-layers", "6-layers"], ["3 layers", "6 layers"]),
        (["3-layers", "all"], ["3 layers", "all"]),
        (["2024", "7"], ["2024", "7"]),
    ],
)
def test_numbers_in_front_are_an_order_unless_they_tell_runs_apart(tmp_path, files, names):
    for name in files:
        (tmp_path / f"{name}.json").write_text(json.dumps(scores(0.5)), encoding="utf8")
    assert [run.name for run in read_runs(tmp_path)] == names


def test_runs_of_one_name_have_bars_of_their_own():
    """Their speeds stand one below the other."""
    from matplotlib.figure import Figure

    from spacy_docre.visualise.report import draw_speed

    ax = Figure().add_subplot()
    draw_speed(ax, [Run("x", scores(0.5), []), Run("x", scores(0.25), [])])
    assert len({bar.get_y() for bar in ax.patches}) == 2


def test_the_page_replaces_pages_only(metrics, tmp_path):
    (tmp_path / "notes.md").write_text("# Mine", encoding="utf8")
    code, text = run("report", metrics, tmp_path / "notes.md")
    assert code == 1
    assert "docre-E161" in text
    assert (tmp_path / "notes.md").read_text(encoding="utf8") == "# Mine"
    assert [run("report", metrics, tmp_path / "page.html")[0] for _ in range(2)] == [0, 0]
