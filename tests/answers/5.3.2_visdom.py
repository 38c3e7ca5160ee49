"""5.3.2 的对答案与错答案。"""


def plot(vis, name, step, value, wrap=lambda v: t.tensor([v]), append=lambda step: "append" if step else None, title=True):
    vis.line(Y=wrap(value), X=wrap(step), win=name, update=append(step), opts=dict(title=name) if title else {})


def positional(vis, name, step, value):
    vis.line([value], [step], win=name, opts={"title": name}, update=None if step == 0 else "append")


def branches(vis, name, step, value):
    if step == 0:
        vis.line(t.tensor([value]), X=[0], win=name, opts={"title": name})
    else:
        vis.line(X=t.tensor([step]), Y=t.tensor([value]), win=name, update="append")


right(1, positional)
right(1, branches)
right(1, plot)
wrong(1, lambda *a: plot(*a, append=lambda step: "append"), "update 应为 None")
wrong(1, lambda *a: plot(*a, append=lambda step: None), "update 应为 append")
wrong(1, lambda *a: plot(*a, append=lambda step: "replace" if step else None), "update 应为 append")
wrong(1, lambda *a: plot(*a, wrap=lambda v: v), "长度为 1")
wrong(1, lambda *a: plot(*a, title=False), "标题")
wrong(1, lambda vis, name, step, value: plot(vis, "loss", step, value), "窗格的名字应为 准确率")
wrong(1, lambda vis, name, step, value: vis.line([step], [value], win=name, opts={"title": name}, update="append" if step else None), "第 0 步")
wrong(1, lambda vis, name, step, value: plot(vis, name, 0, value), "update 应为 append")


class Logger:
    """可以弄错几处的日志。"""

    end, once = "<br>", False

    def __init__(self, vis):
        self.vis, self.lines = vis, []

    def escape(self, text):
        return html.escape(text)

    def log(self, text):
        self.lines.append(self.escape(text) + self.end)
        self.vis.text("".join(self.lines[-1:] if self.once else self.lines), win="log")


class Joined:
    def __init__(self, vis):
        self.vis, self.content = vis, ""

    def log(self, text):
        self.content += text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") + "<br>"
        self.vis.text(text=self.content, win="log", append=False)


class WrongOrder(Logger):
    def escape(self, text):  # & 换在最后：前面换出来的也被换了
        return text.replace("<", "&lt;").replace(">", "&gt;").replace("&", "&amp;")


class Raw(Logger):
    def escape(self, text):
        return text


class EscapesAll(Logger):
    def log(self, text):
        self.lines.append(text + "<br>")
        self.vis.text(html.escape("".join(self.lines)), win="log")


class Appends(Logger):
    def log(self, text):
        self.vis.text(html.escape(text) + "<br>", win="log", append=True)


class Shared(Logger):
    lines = []

    def __init__(self, vis):
        self.vis = vis


class Twice(Logger):
    def log(self, text):
        for line in (text,):
            super().log(line)
        self.vis.text("".join(self.lines), win="log")


right(2, Logger)
right(2, Joined)
wrong(2, WrongOrder, "html.escape")
wrong(2, Raw, "html.escape")
wrong(2, EscapesAll, "应发出")
wrong(2, Appends, "不要 append")
wrong(2, Shared, "应发出")
wrong(2, Twice, "调用一次 text")
wrong(2, type("Once", (Logger,), {"once": True}), "再发一次")
wrong(2, type("Newline", (Logger,), {"end": "\n"}), "应发出")


def prepare(labels, picture):
    return labels + 1, (picture.permute(2, 0, 1) + 1) / 2


right(3, prepare)
right(3, lambda labels, picture: ([k + 1 for k in labels.tolist()], picture.movedim(-1, 0) * 0.5 + 0.5))
wrong(3, lambda labels, picture: (labels + 1, (picture.reshape(3, *picture.shape[:2]) + 1) / 2), "view")
wrong(3, lambda labels, picture: (labels, (picture.permute(2, 0, 1) + 1) / 2), "类别")
wrong(3, lambda labels, picture: (labels + 1, picture.permute(2, 0, 1)), "应为")
wrong(3, lambda labels, picture: (labels + 1, (picture.permute(2, 1, 0) + 1) / 2), "形状")
wrong(3, lambda labels, picture: (labels + 1, picture.permute(2, 0, 1).clamp(0, 1)), "应为")
wrong(3, lambda labels, picture: (labels.add_(1), (picture.permute(2, 0, 1) + 1) / 2), "labels 不应被改动")
wrong(3, lambda labels, picture: (labels + 1, picture.permute(2, 0, 1).add_(1).div_(2)), "picture 不应被改动")
wrong(3, lambda labels, picture: (labels + 1, (picture.permute(2, 0, 1) + 1) / 2 * 255), "应为")
