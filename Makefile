# make demo       建 .venv、安装、运行各项目，结果在 outputs/index.html
# make test       同样的安装，然后跑全部测试
# make lab        打开中文的 JupyterLab，在自己的副本 my/ 里读写；已有的笔记本不动，只补没有的
# make site       把全书做成网站，从 outputs/site/index.html 看起，不用联网
# make notebooks  就地重新执行所有笔记本
# make docs       由 docs/migration.toml 重新生成 docs/migration.md
# make visdom     取齐 visdom 的网页脚本（要有 npm），在 8097 端口启动服务器
# make accelerator 有加速卡时，看 README 说的在它上面是否成立（tests/accelerator.py）
# make web        五个项目的网页（第一次要装 Gradio），目录在 http://127.0.0.1:8000
# make sync-utils 把 chapter6/utils、读图的代码、网页和计时的公共部分和各项目相同的测试抄到其余项目，把 chapter2/checks.py 抄到第 3–5 章

PYTHON ?= python3
PY := .venv/bin/python
READY := .venv/.ready
SITE := .venv/.site

.PHONY: demo test lab site notebooks docs visdom web accelerator sync-utils

demo: $(READY)
	$(PY) demo.py

test: $(READY)
	$(PY) -m pytest

lab: $(READY)
	$(PY) lab.py

# -E：每次从头读，目录里才有新添的笔记本
site: $(SITE)
	$(PY) -m sphinx -E -W --keep-going -q -c docs/site -d outputs/.doctrees . outputs/site
	@echo "网站做好了：outputs/site/index.html"

notebooks: $(READY)
	$(PY) tests/notebooks.py

docs: $(READY)
	$(PY) docs/build_migration.py

visdom: $(READY)
	$(PY) tests/visdom_page.py

accelerator: $(READY)
	$(PY) tests/accelerator.py

web: .venv/.web
	$(PY) web.py

sync-utils:
	for project in chapter7 chapter8 chapter9 chapter10; do \
		rm -f $$project/utils/*.py && cp chapter6/utils/*.py $$project/utils/ && \
		cp chapter6/page.py chapter6/timing.py chapter6/requirements-web.txt $$project/ && \
		cp chapter6/tests/helpers.py chapter6/tests/test_reliability.py $$project/tests/; \
	done
	for project in chapter7 chapter8 chapter10; do cp chapter6/data/pictures.py $$project/data/; done
	for chapter in chapter3 chapter4 chapter5; do cp chapter2/checks.py $$chapter/; done

# requirements.txt 没变就不再安装；visdom 是源码包，要用 setuptools<81 在当前环境里构建
$(READY): requirements.txt
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --upgrade pip "setuptools<81" wheel
	$(PY) -m pip install --no-build-isolation -r requirements.txt
	touch $@

# 造网站不用 torch：只装 docs/site/requirements.txt，不等书的代码要的那些包
$(SITE): docs/site/requirements.txt
	test -x $(PY) || $(PYTHON) -m venv .venv
	$(PY) -m pip install -r docs/site/requirements.txt
	touch $@

.venv/.web: $(READY) requirements-web.txt
	$(PY) -m pip install -r requirements-web.txt
	touch $@
