-- stay: one row an ICU stay; shift turns its offsets, minutes from the admission to the unit, into minutes since the visit
-- began. visit: one row a hospital stay, numbered in the order of the cohort: patients by uniquepid, their hospital stays by
-- year of discharge, age and id. A visit begins with the admission to hospital, or to the unit where that is earlier.
CREATE TABLE stay AS
WITH clock AS (
    SELECT *, least(0, min(-hospitaladmitoffset) OVER (PARTITION BY patienthealthsystemstayid)) AS begin,
           CASE WHEN starts_with(age, '>') THEN {{oldest}} ELSE least({{oldest}}, TRY_CAST(age AS DOUBLE)) END AS years,
           row_number() OVER (PARTITION BY patienthealthsystemstayid ORDER BY unitvisitnumber NULLS LAST, patientunitstayid) AS nth
    FROM patient
)
SELECT patientunitstayid, patienthealthsystemstayid, uniquepid, hospitaldischargeyear, years, nth, gender, ethnicity,
       admissionheight, admissionweight, unittype, hospitaldischargestatus, -hospitaladmitoffset - begin AS shift,
       hospitaldischargeoffset - hospitaladmitoffset - begin AS length
FROM clock;

CREATE TABLE visit AS
SELECT row_number() OVER (ORDER BY uniquepid, hospitaldischargeyear NULLS LAST, years NULLS LAST, patienthealthsystemstayid) - 1 AS visit,
       uniquepid, patienthealthsystemstayid, years, gender, ethnicity, admissionheight, admissionweight, unittype,
       hospitaldischargestatus, length
FROM stay WHERE nth = 1
