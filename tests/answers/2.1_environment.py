"""2.1 的对答案与错答案。"""


def cascade():
    if t.cuda.is_available():
        return t.device("cuda")
    if t.backends.mps.is_available():
        return t.device("mps")
    return t.device("cpu")


right(1, cascade)
right(1, lambda: t.accelerator.current_accelerator(check_available=True) or t.device("cpu"))
right(1, lambda: t.device("cuda:0") if t.cuda.is_available() else t.device("mps" if t.backends.mps.is_available() else "cpu"))
right(1, lambda: t.accelerator.current_accelerator() if t.accelerator.is_available() else t.device("cpu"))
wrong(1, lambda: t.device("cuda" if t.cuda.is_available() else "cpu"), "应返回 mps")
wrong(1, lambda: t.device("cpu"), "应返回 mps")
wrong(1, lambda: t.device("mps" if t.backends.mps.is_available() else "cpu"), "应返回 cuda")
wrong(1, lambda: "cuda" if t.cuda.is_available() else "cpu", "torch.device")
wrong(1, lambda: t.accelerator.current_accelerator(), "应返回 cpu")
wrong(1, lambda: t.accelerator.current_accelerator() or t.device("cpu"), "应返回 cpu")
wrong(1, lambda: t.device("cuda"), "应返回 mps")

x = t.rand(1000)
shell = get_ipython()
shell.push({"x": x})
timed = [shell.run_line_magic("timeit", f"-o -q -n 300 -r 5 {code}") for code in ("x * x", "x ** 2.5", "pass")]
right(2, timed[:2])
right(2, tuple(shell.run_line_magic("timeit", f"-q -o -n 200 -r 5 {code}") for code in ("x.mul(x)", "x.pow(2.5)")))
wrong(2, timed[1::-1], "写反了")
wrong(2, (None, None), "别忘了 -o")
wrong(2, (timed[0], timed[0]), "乘法应比乘方快")
wrong(2, (timed[0].best, timed[1].best), "别忘了 -o")
wrong(2, (timed[2], timed[1]), "不像是 1000 个数")
wrong(2, timed, "现在有 3 个")

right(3, tuple(inspect.signature(t.nn.Linear).parameters))
right(3, inspect.getfullargspec(t.nn.Linear.__init__).args[1:])
wrong(3, inspect.getfullargspec(t.nn.Linear.__init__).args, "不含 self")
wrong(3, list(inspect.signature(t.nn.Linear.forward).parameters)[1:], "应有 5 个")
wrong(3, ["in_features", "out_features", "bias"], "应有 5 个")
wrong(3, ["in", "out", "bias", "device", "dtype"], "应有 5 个")

right(4, ["n", "n", "p i", "q"])
right(4, ["n", "n", "pp i", "c"])
right(4, ["n", "n", "p locals()", "q"])
wrong(4, ["n", "n", "p 'i = 0'", "q"], "不是从变量 i 来的")
wrong(4, ["p i", "q"], "问得太早")
wrong(4, ["n", "n", "!i = 0", "p i", "q"], "只许看")
wrong(4, ["n", "n", "q"], "现在没有")
wrong(4, ["n", "n", "n", "n", "p i", "q"], "现在没有")  # 已经是第二次循环
wrong(4, ["p 0", "q"], "不是从变量 i 来的")
wrong(4, ["n", "n", "p result", "q"], "现在没有")
