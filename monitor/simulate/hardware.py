"""The hardware that a simulated cloud lends, under the names that real control planes give it."""

from __future__ import annotations

from typing import NamedTuple


class Hardware(NamedTuple):
    """One thing to hold: an accelerator, or an instance type with several.

    `accelerator` and `rate` (dense 16-bit FLOP/s of one accelerator) are what the catalogue says of `named`; a test
    compares them. `per_unit` is thousandths of an accelerator for each unit counted.
    """

    named: str
    accelerator: str
    per_unit: int
    rate: int
    instance: bool = False

    def count_fields(self, units: int) -> dict[str, object]:
        """The field of an event that states how many are held; `units` in thousandths."""
        return {"instances" if self.instance else "count": number(units)}

    def fields(self, units: int) -> dict[str, object]:
        """The fields of an event that name the hardware and how many are held; `units` in thousandths."""
        return {"instance_type" if self.instance else "accelerator": self.named, **self.count_fields(units)}


def number(thousandths: int) -> int | float:
    """Thousandths as a JSON number."""
    return thousandths // 1000 if thousandths % 1000 == 0 else thousandths / 1000


GIGA = 10**9
H100_RATE = 989_400 * GIGA
A100_RATE = 312_000 * GIGA

H100 = Hardware("H100 SXM5 80GB", "H100 SXM5 80GB", 1000, H100_RATE)
H100_LABEL = Hardware("NVIDIA-H100-80GB-HBM3", "H100 SXM5 80GB", 1000, H100_RATE)
P5 = Hardware("p5.48xlarge", "H100 SXM5 80GB", 8000, H100_RATE, instance=True)
ND_H100 = Hardware("Standard_ND96isr_H100_v5", "H100 SXM5 80GB", 8000, H100_RATE, instance=True)
A100 = Hardware("A100 SXM4 80GB", "A100 SXM4 80GB", 1000, A100_RATE)
A100_LABEL = Hardware("NVIDIA-A100-SXM4-80GB", "A100 SXM4 80GB", 1000, A100_RATE)
A2_ULTRA = Hardware("a2-ultragpu-8g", "A100 SXM4 80GB", 8000, A100_RATE, instance=True)
ND_MI300X = Hardware("Standard_ND96isr_MI300X_v5", "Instinct MI300X", 8000, 1_307_400 * GIGA, instance=True)
L4 = Hardware("nvidia-l4", "L4", 1000, 121_000 * GIGA)
G6 = Hardware("g6.xlarge", "L4", 1000, 121_000 * GIGA, instance=True)
L40S = Hardware("NVIDIA-L40S", "L40S", 1000, 362_000 * GIGA)
T4 = Hardware("nvidia-tesla-t4", "T4", 1000, 65_000 * GIGA)
TPU_V4 = Hardware("TPU v4", "TPU v4", 1000, 275_000 * GIGA)
TPU_V5E = Hardware("TPU v5e", "TPU v5e", 1000, 197_000 * GIGA)

ALL = (H100, H100_LABEL, P5, ND_H100, A100, A100_LABEL, A2_ULTRA, ND_MI300X, L4, G6, L40S, T4, TPU_V4, TPU_V5E)
