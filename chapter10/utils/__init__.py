"""五个项目共用的小工具。原件在 chapter6/utils/，其余四份逐字节相同（make sync-utils）。

这里不集中导入：config.py 只用得着 options，不必为它等 torch 两三秒。
"""
