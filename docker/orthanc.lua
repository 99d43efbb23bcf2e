-- Orthanc sends each ECG that it stores to the modality `gateway`, and no result of the gateway.
local ECG = {
  ['1.2.840.10008.5.1.4.1.1.7'] = true,      -- Secondary Capture
  ['1.2.840.10008.5.1.4.1.1.104.1'] = true,  -- Encapsulated PDF
  ['1.2.840.10008.5.1.4.1.1.9.1.1'] = true,  -- 12-lead ECG Waveform
  ['1.2.840.10008.5.1.4.1.1.9.1.2'] = true,  -- General ECG Waveform
}

function OnStoredInstance(id, tags, metadata, origin)
  if ECG[tags['SOPClassUID']] and tags['ManufacturerModelName'] ~= 'ECG report classifier' then
    SendToModality(id, 'gateway')
  end
end
