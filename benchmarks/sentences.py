"""The text that is timed: ten sentences, about thirty seconds of speech."""

from __future__ import annotations

SENTENCES = (
    "欢迎光临，请问有什么可以帮您？",
    "今天天气真好，阳光洒在窗台上。",
    "电梯正在上行，请注意安全。",
    "您的取餐号码是八十六号。",
    "机器人正在充电，还需要二十分钟。",
    "请把证件放在读卡器上。",
    "前方路口左转，然后直行三百米。",
    "会议室在二楼，请跟我来。",
    "您好，您的快递已经放在门口的柜子里。",
    "感谢您的耐心等待，祝您生活愉快。",
)
