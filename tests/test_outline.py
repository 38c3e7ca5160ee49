"""书中第 2 至 5 章讲到的接口，我们的笔记本里都真的用到：按节列表，缺一个就失败。

只看代码：变量、属性、参数、函数与类的名字，还有魔术命令；注释、文字和普通字符串里出现不算。
"""

from __future__ import annotations

import ast
import re

import notebook_rules as rules
import notebooks
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

# 节 → 接口名。带点的名字要连着出现（linalg.inv）；@ 是矩阵乘法运算符；%name 是魔术命令。
OUTLINE = {
    "2.1 安装与环境": "__version__ accelerator.is_available %timeit %run %hist %env %xdel",
    "2.2.1 Tensor": """
        Tensor tensor empty rand ones size shape add add_ out numpy from_numpy item to""",
    "2.2.2 autograd": "requires_grad grad_fn backward grad zero_",
    "2.2.3 神经网络": """
        nn.Module nn.Conv2d nn.Linear forward parameters named_parameters unsqueeze
        MSELoss next_functions zero_grad optim.SGD step lr""",
    "2.2.4 CIFAR-10 分类": """
        Compose Normalize DataLoader batch_size shuffle CrossEntropyLoss
        no_grad optim.SGD momentum backward step zero_grad to accelerator""",
    "3.1.1 表 3-1 创建": """
        Tensor tensor ones zeros eye arange linspace rand randn normal uniform_ randperm
        zeros_like ones_like rand_like new_tensor new_zeros new_ones new_full""",
    "3.1.1 形状": "size shape numel view reshape squeeze unsqueeze resize_",
    "3.1.1 表 3-2 索引": """
        index_select masked_select nonzero gather scatter_ take_along_dim dim index""",
    "3.1.1 表 3-3 类型": """
        dtype half float16 bfloat16 bool complex64 int64 float64 float long to
        set_default_dtype get_default_dtype result_type element_size""",
    "3.1.1 表 3-4 逐元素": """
        abs sqrt div exp fmod log pow cos asin atan2 cosh ceil round floor trunc clamp
        sigmoid tanh""",
    "3.1.1 表 3-5 归并": "mean sum median mode norm dist std var cumsum cumprod dim keepdim",
    "3.1.1 表 3-6 比较": "gt lt ge le eq ne topk sort max min allclose",
    "3.1.1 表 3-7 线性代数": """
        trace diag triu tril mm bmm matmul @ addmm addbmm t dot cross linalg.inv linalg.svd
        is_contiguous contiguous""",
    "3.1.2 Tensor 与 numpy": """
        from_numpy as_tensor tensor numpy unsqueeze expand repeat broadcast_to""",
    "3.1.3 内部结构": """
        untyped_storage storage_offset stride data_ptr is_contiguous contiguous as_strided set_
        t transpose permute view narrow unfold expand clone share_memory_ id""",
    "3.1.4 其他": """
        save load map_location weights_only cpu cuda to accelerator.is_available
        accelerator.current_accelerator out set_num_threads get_num_threads set_printoptions
        precision arange mm @""",
    "3.1.5 线性回归": "manual_seed rand randn mean lr linalg.lstsq",
    "3.2.1 requires_grad": """
        requires_grad requires_grad_ is_leaf grad grad_fn backward no_grad inference_mode
        enable_grad set_grad_enabled detach data zero_""",
    "3.2.2 计算图": """
        grad_fn next_functions retain_graph autograd.grad register_hook retain_grad
        gradient create_graph""",
    "3.2.3 扩展 autograd": """
        Function apply forward backward save_for_backward saved_tensors setup_context
        once_differentiable gradcheck gradgradcheck create_graph""",
    "3.2.4 线性回归": "requires_grad backward grad zero_ no_grad",
    "4.1 nn.Module": """
        nn.Module nn.Parameter forward named_parameters parameters nn.Linear get_parameter
        get_submodule register_forward_hook state_dict to requires_grad_""",
    "4.2.1 图像层": """
        nn.Conv2d kernel_size stride padding dilation groups MaxPool2d AvgPool2d
        AdaptiveAvgPool2d ConvTranspose2d output_padding Flatten BatchNorm2d running_mean
        running_var BatchNorm1d InstanceNorm2d LayerNorm RMSNorm nn.Dropout dropout2d
        Conv1d MaxPool1d AdaptiveAvgPool1d Conv3d AvgPool3d conv1d conv3d""",
    "4.2.2 激活函数与容器": """
        ReLU inplace LeakyReLU Sigmoid Tanh nn.Sequential add_module OrderedDict ModuleList
        ModuleDict ParameterList ParameterDict""",
    "4.2.3 循环层": """
        RNNCell LSTMCell GRUCell nn.RNN nn.LSTM nn.GRU num_layers batch_first bidirectional
        pad_sequence pack_padded_sequence enforce_sorted batch_sizes pad_packed_sequence
        clip_grad_norm_ detach nn.Embedding padding_idx from_pretrained freeze""",
    "4.2.4 损失函数": """
        CrossEntropyLoss log_softmax nll_loss cross_entropy ignore_index weight label_smoothing
        reduction binary_cross_entropy_with_logits pos_weight mse_loss l1_loss huber_loss kl_div""",
    "4.2.5 注意力": """
        scaled_dot_product_attention attn_mask is_causal nn.MultiheadAttention
        average_attn_weights masked_fill softmax nn.LayerNorm GELU""",
    "4.3 优化器": """
        optim.SGD momentum optim.Adam optim.AdamW weight_decay param_groups zero_grad step
        lr_scheduler StepLR MultiStepLR ExponentialLR CosineAnnealingLR OneCycleLR LinearLR
        SequentialLR ReduceLROnPlateau state_dict load_state_dict optim.Optimizer
        foreach fused optim.Muon AveragedModel get_ema_multi_avg_fn""",
    "4.4 nn.functional": """
        F.linear F.conv2d F.relu F.max_pool2d F.dropout F.batch_norm training functional_call
        stack_module_state vmap register_parametrization remove_parametrizations
        parametrizations.orthogonal parametrizations.spectral_norm""",
    "4.5 初始化": """
        init.xavier_normal_ init.kaiming_normal_ nonlinearity init.normal_ init.constant_
        init.zeros_ init.orthogonal_ init.trunc_normal_ calculate_gain empty apply""",
    "4.6 Module 深入": """
        _parameters _modules _buffers register_buffer persistent named_children children modules
        named_modules named_buffers train eval training register_forward_hook remove
        register_full_backward_hook __setattr__ __getattr__ state_dict load_state_dict strict
        weights_only DataParallel compile _orig_mod
        consume_prefix_in_state_dict_if_present""",
    "4.7 nn 与 autograd": """
        Function apply save_for_backward gradcheck nn.Module next_functions checkpoint""",
    "4.8 ResNet34": """
        Conv2d BatchNorm2d Identity Sequential adaptive_avg_pool2d numel models.resnet34
        load_state_dict allclose FlopCounterMode""",
    "5.1 Dataset 与 transforms": """
        Dataset __getitem__ __len__ v2.Compose v2.Resize v2.CenterCrop v2.RandomResizedCrop
        v2.RandomHorizontalFlip v2.ToImage v2.ToDtype v2.Normalize v2.Lambda tv_tensors.Image
        BoundingBoxes ImageFolder class_to_idx target_transform loader is_valid_file Subset
        v2.RandAugment v2.MixUp v2.CutMix""",
    "5.1 DataLoader": """
        DataLoader batch_size shuffle drop_last sampler num_workers collate_fn default_collate
        persistent_workers prefetch_factor pin_memory generator get_worker_info multiprocessing
        get_lock""",
    "5.1 采样与数据流": """
        SequentialSampler RandomSampler WeightedRandomSampler num_samples replacement
        IterableDataset __iter__""",
    "5.2 torchvision": """
        models.resnet34 weights list_models ResNet34_Weights transforms create_feature_extractor
        FashionMNIST FakeData ToPILImage make_grid save_image normalize value_range decode_image
        tv_tensors.Mask draw_bounding_boxes""",
    "5.3.1 TensorBoard": """
        SummaryWriter add_scalar add_histogram add_image add_text add_graph add_hparams flush
        purge_step EventAccumulator Scalars Histograms Images Graph profiler.profile
        record_function export_chrome_trace""",
    "5.3.2 visdom": """
        Visdom env win opts line update append image images text histogram scatter bar pie
        save fork_env delete_env close get_window_data win_exists check_connection
        raise_exceptions""",
    "5.4 设备": """
        accelerator.current_accelerator accelerator.device_count accelerator.synchronize to
        register_buffer CrossEntropyLoss pin_memory non_blocking autocast bfloat16 half
        amp.GradScaler""",
    "5.5 持久化": """
        save load state_dict load_state_dict strict get_rng_state set_rng_state map_location
        mmap weights_only __reduce__ UnpicklingError safe_globals replace export.export
        export.Dim onnx.export InferenceSession""",
    "5.6 更快、更省": """
        profiler.profile channels_last autocast bfloat16 amp.GradScaler unscale_ clip_grad_norm_
        checkpoint saved_tensors_hooks t.compile foreach fused get_float32_matmul_precision
        OutOfMemoryError max_memory_allocated""",
}


MAGIC = re.compile(r"^[ \t]*(?:[\w, ]+=[ \t]*)?%{1,2}([a-z]\w*)(.*)", flags=re.M)


def names_in(notebook: notebooks.NotebookNode) -> set[str]:
    """代码里用到的名字；a.b.c 记作 a、b、c、a.b、b.c、a.b.c。"""
    found: set[str] = set()
    for cell in rules.code_cells(notebook):
        for magic, rest in MAGIC.findall(cell.source):
            found.update({"%" + magic, *re.findall(r"[A-Za-z_]\w*", rest)})
    for _, tree, _ in rules.trees(notebook):
        for node in ast.walk(tree):
            found.update(names_of(node))
    return found


def names_of(node: ast.AST) -> set[str]:
    match node:
        case ast.Name(id=name) | ast.FunctionDef(name=name) | ast.arg(arg=name):
            return {name}
        case ast.keyword(arg=str(name)):
            return {name}
        case ast.alias(name=name):
            return dotted(name)
        case ast.ImportFrom(module=str(module), names=imported):
            return set().union(*(dotted(f"{module}.{alias.name}") for alias in imported))
        case ast.Attribute():
            return dotted(chain(node))
        case ast.MatMult():
            return {"@"}
        case ast.Call(func=ast.Attribute(attr=run), args=[ast.Constant(value=str(magic)), *_]):
            return {"%" + magic} if run in ("run_line_magic", "run_cell_magic") else set()
    return set()


def chain(node: ast.expr) -> str:
    """属性链写成 a.b.c；链条从调用或下标的结果开始时，前面留空。"""
    if isinstance(node, ast.Attribute):
        return f"{chain(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def dotted(name: str) -> set[str]:
    parts = [part for part in name.split(".") if part]
    ends = range(1, len(parts) + 1)
    return {".".join(parts[i:j]) for j in ends for i in range(j)}


def used_in_chapter(number: int) -> set[str]:
    lessons = [p for p in notebooks.find() if not notebooks.is_solution(p)]
    return set().union(
        *(names_in(notebooks.read(p)) for p in lessons if notebooks.chapter_of(p) == number)
    )


@pytest.fixture(scope="module")
def used() -> dict[int, set[str]]:
    return {number: used_in_chapter(number) for number in {int(section[0]) for section in OUTLINE}}


def short(section: str) -> str:
    """测试编号里只留 ASCII：3.1.1 表 3-4 逐元素 → 3.1.1-3-4。"""
    return "-".join(re.sub(r"[^\x21-\x7e]", " ", section).split())


@pytest.mark.parametrize("section", OUTLINE, ids=short)
def test_every_interface_is_used(section: str, used: dict[int, set[str]]):
    missing = [name for name in OUTLINE[section].split() if name not in used[int(section[0])]]
    if missing:
        pytest.fail(f"{section}：笔记本的代码里没有用到 {'、'.join(missing)}", pytrace=False)


@pytest.mark.parametrize("number", sorted({section.split()[0] for section in OUTLINE}))
def test_every_section_has_a_notebook(number: str):
    """2.2_first_steps.ipynb 讲 2.2 节各小节，3.1.1a_tensor_basics.ipynb 讲 3.1.1 节。"""
    stems = [path.stem for path in notebooks.find() if not notebooks.is_solution(path)]
    covered = {found[0] for stem in stems if (found := re.match(r"\d+(\.\d+)+", stem))}
    assert any(f"{number}.".startswith(f"{section}.") for section in covered), (
        f"没有 {number} 节的笔记本"
    )


def test_names_are_taken_from_code_only():
    notebook = new_notebook(
        cells=[
            new_markdown_cell("`t.eye(3)`"),
            new_code_cell('# t.trace(a)\nprint("t.median")\nt.linalg.inv(a) @ b.t().sum(dim=0)'),
            new_code_cell("%timeit t.dot(a, b)\n%%writefile\n"),
            new_code_cell("from torch.autograd import Function\ndef setup_context(ctx): pass"),
            new_code_cell("seconds = %timeit -o a.fmod(b)\nleft %right"),
            new_code_cell('get_ipython().run_line_magic("hist", "-n 3")'),
        ]
    )
    found = names_in(notebook)
    assert {"linalg.inv", "inv", "@", "t", "sum", "dim", "%timeit", "dot", "fmod", "%hist"} <= found
    assert {"autograd.Function", "Function", "setup_context"} <= found
    assert not found & {"eye", "trace", "median", "hist", "b.sum", "%right"}
