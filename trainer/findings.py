"""The findings that the findings network is trained to tell, by the names of PTB-XL and SCP-ECG.

Codes, and which records have them: PTB-XL (Wagner et al. 2020, Scientific Data 7, 154). Statements are those of SCP-ECG
(EN 1064); the first five are PTB-XL's diagnostic superclasses.
"""

from typing import NamedTuple

__all__ = ["CODES", "FINDINGS", "Finding"]


class Finding(NamedTuple):
    """One finding, in a word and in a sentence."""

    code: str
    name: str
    sentence: str


FINDINGS: tuple[Finding, ...] = (
    Finding("NORM", "normal ECG", "Nothing on the ECG is outside the limits of normal."),
    Finding("MI", "myocardial infarction", "Signs of a myocardial infarction, acute or old."),
    Finding("STTC", "ST/T change", "ST segment or T wave differ from normal; ischaemia, drugs and strain do this."),
    Finding("CD", "conduction disturbance", "The impulse is delayed or blocked on its way through the heart."),
    Finding("HYP", "hypertrophy", "Signs of an enlarged or thickened chamber."),
    Finding("AMI", "anterior infarction", "Signs of infarction in the anterior or septal leads V1 to V4."),
    Finding("IMI", "inferior infarction", "Signs of infarction in the inferior leads II, III and aVF."),
    Finding("LMI", "lateral infarction", "Signs of infarction in the lateral leads I, aVL, V5 and V6."),
    Finding("AFIB", "atrial fibrillation", "No P waves and irregular ventricular beats."),
    Finding("STACH", "sinus tachycardia", "Sinus rhythm faster than 100/min."),
    Finding("SBRAD", "sinus bradycardia", "Sinus rhythm slower than 60/min."),
    Finding("SARRH", "sinus arrhythmia", "Sinus rhythm whose rate varies, often with breathing; mostly harmless."),
    Finding("PACE", "pacemaker", "Beats that an artificial pacemaker starts."),
    Finding("PVC", "ventricular ectopic beats", "Early, wide beats from a ventricle."),
    Finding("PAC", "atrial ectopic beats", "Early beats from an atrium, with a narrow QRS complex."),
    Finding("ABQRS", "abnormal QRS", "A QRS complex of unusual shape."),
    Finding("NDT", "unspecific T wave change", "T waves that are not normal, without a typical cause."),
    Finding("STD", "ST depression", "The ST segment lies below the baseline."),
    Finding("INVT", "T wave inversion", "T waves point down where they normally point up."),
    Finding("LOWT", "low T waves", "T waves are unusually flat."),
    Finding("QWAVE", "Q waves", "Q waves are present that may be left by an infarction."),
    Finding("ISC", "ischaemic ST/T change", "ST/T change that suggests ischaemia, without a territory."),
    Finding("ISCA", "ischaemia in anterior leads", "ST/T change that suggests ischaemia in the anterior leads."),
    Finding("ISCI", "ischaemia in inferior leads", "ST/T change that suggests ischaemia in the inferior leads."),
    Finding("LVH", "left ventricular hypertrophy", "High voltages and repolarisation of a thickened left ventricle."),
    Finding(
        "CLBBB", "complete left bundle branch block", "The left bundle branch does not conduct; QRS 120 ms or more."
    ),
    Finding(
        "CRBBB", "complete right bundle branch block", "The right bundle branch does not conduct; QRS 120 ms or more."
    ),
    Finding(
        "IRBBB", "incomplete right bundle branch block", "The right bundle branch conducts late; QRS under 120 ms."
    ),
    Finding("LAFB/LPFB", "left fascicular block", "A fascicle of the left bundle is blocked, which turns the axis."),
    Finding("AVB", "AV block", "Conduction from atria to ventricles is slow or fails; mostly a long PR interval."),
    Finding(
        "IVCD", "intraventricular conduction delay", "A wide QRS complex that is neither left nor right bundle block."
    ),
    Finding("NST", "unspecific ST change", "An ST segment that is not normal, without a typical cause."),
)
"""In the order of the network's outputs: PTB-XL superclasses, then statements with enough examples to learn."""

CODES: tuple[str, ...] = tuple(finding.code for finding in FINDINGS)
